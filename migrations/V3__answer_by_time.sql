-- What questions are asked by: a stretch of time, a deployment. Until now only one process, one
-- endpoint and what is open were found without reading the rest.

-- Processes are reckoned by when they were created, in lifetimes, and by when they ended, in failures;
-- whoever was alive in a stretch of time ended after its beginning or is among the few without an end.
CREATE INDEX process_created ON process (created_ms);
CREATE INDEX process_ended ON process (ended_ms) WHERE ended_ms IS NOT NULL;
CREATE INDEX process_unended ON process (created_ms) WHERE ended_ms IS NULL;

-- Two deployments side by side, and which one came before another.
CREATE INDEX process_deployment ON process (deployment, created_ms);

-- What became known, and which ports were taken, in a stretch of time.
CREATE INDEX version_first_seen ON version (first_seen_ms);
CREATE INDEX hold_from ON hold (held_from_ms);

-- The ledger grows by half a million runs a year.
CREATE INDEX run_started ON run (started_ms);

-- When was anything looked at? Without it nobody could tell in SQL a quiet day from one that was not
-- watched.
CREATE VIEW snapshots AS
SELECT strftime('%Y-%m-%dT%H:%M:%fZ', n.observed_at_ms / 1000.0, 'unixepoch') AS observed_at,
       n.run_id,
       t.source,
       a.text AS app_id,
       n.observed_at_ms
FROM snapshot n
JOIN stream t USING (stream_id)
LEFT JOIN word a ON a.word_id = t.app;
