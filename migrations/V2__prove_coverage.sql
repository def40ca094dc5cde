-- What a sync must remember to prove that it missed nothing: how far the record is known to be whole,
-- which regions and statuses there are, and which of them the API does not accept.

-- Up to which creation time the record of an app and region is whole, gaps aside. Region 0 stands for
-- every region without a row of its own, those included that nobody has named yet.
CREATE TABLE watermark (
    app       INTEGER NOT NULL REFERENCES word,
    region    INTEGER NOT NULL REFERENCES word,
    -- The creation time from which it is whole: where coverage began.
    since_ms  INTEGER NOT NULL,
    until_ms  INTEGER NOT NULL,
    -- When the look was that proved it, by the recorder's clock.
    looked_ms INTEGER NOT NULL,
    -- The same by the server's clock, where it said so.
    server_ms INTEGER,
    -- At most so many open processes were known to that look by count only; null where it cannot be
    -- told. What the next look counts beyond them is newly hidden.
    unaccounted INTEGER,
    PRIMARY KEY (app, region)
) STRICT, WITHOUT ROWID;

-- Until now a look left a gap wherever it did not reach back to the record, so that the record is whole
-- up to the newest creation that a sync has seen. Where there is none, nothing tells how far behind the
-- clock is that dates creations; a day is taken.
WITH looked AS MATERIALIZED (
    SELECT t.app, min(n.observed_at_ms) AS first_ms, max(n.observed_at_ms) AS last_ms
    FROM stream t
    JOIN snapshot n USING (stream_id)
    JOIN run u USING (run_id)
    WHERE u.kind = 'sync' AND t.app IS NOT NULL
    GROUP BY t.app
),
created AS MATERIALIZED (
    SELECT p.app, max(p.created_ms) AS newest_ms
    FROM process p
    JOIN looked l ON l.app = p.app AND p.created_ms <= l.last_ms
    GROUP BY p.app
)
INSERT INTO watermark (app, region, since_ms, until_ms, looked_ms)
SELECT l.app, 0, l.first_ms, coalesce(c.newest_ms, l.first_ms - 86400000), l.last_ms
FROM looked l
LEFT JOIN created c ON c.app = l.app;

-- In which regions and statuses an app's processes were ever seen, so that no look needs to read all
-- of them to learn it.
CREATE TABLE seen_filter (
    app    INTEGER NOT NULL REFERENCES word,
    region INTEGER NOT NULL REFERENCES word,
    status INTEGER NOT NULL REFERENCES word,
    PRIMARY KEY (app, region, status)
) STRICT, WITHOUT ROWID;
INSERT INTO seen_filter (app, region, status)
SELECT DISTINCT app, region, status FROM version;

-- Filters that the API rejected, so that they are not asked for again at once. Region or status 0
-- stands for any.
CREATE TABLE rejected_filter (
    app         INTEGER NOT NULL REFERENCES word,
    region      INTEGER NOT NULL REFERENCES word,
    status      INTEGER NOT NULL REFERENCES word,
    rejected_ms INTEGER NOT NULL,
    PRIMARY KEY (app, region, status)
) STRICT, WITHOUT ROWID;

-- A process that the latest look found lost is asked for once more.
CREATE INDEX process_lost ON process (app, lost_ms) WHERE outcome = 'lost';

-- A sync that meets the same broken record minute after minute keeps it once; which it finds by length,
-- since an index over what it says would store that twice.
CREATE INDEX aside_length ON aside (length(raw));

-- Why something may be missing; null in gaps from before it was kept.
ALTER TABLE gap ADD COLUMN reason TEXT CHECK (reason IN ('page', 'forgotten', 'rejected'));

DROP VIEW gaps;
CREATE VIEW gaps AS
SELECT g.gap_id,
       g.run_id,
       a.text AS app_id,
       r.text AS region,
       s.text AS status,
       strftime('%Y-%m-%dT%H:%M:%fZ', g.since_ms / 1000.0, 'unixepoch') AS since,
       strftime('%Y-%m-%dT%H:%M:%fZ', g.until_ms / 1000.0, 'unixepoch') AS until,
       'app=' || a.text || coalesce(' region=' || r.text, '') || coalesce(' status=' || s.text, '') AS filter,
       g.hidden_at_least,
       g.reason,
       g.since_ms,
       g.until_ms
FROM gap g
JOIN word a ON a.word_id = g.app
LEFT JOIN word r ON r.word_id = g.region
LEFT JOIN word s ON s.word_id = g.status;

CREATE VIEW watermarks AS
SELECT a.text AS app_id,
       nullif(r.text, '') AS region,
       strftime('%Y-%m-%dT%H:%M:%fZ', m.since_ms / 1000.0, 'unixepoch') AS since,
       strftime('%Y-%m-%dT%H:%M:%fZ', m.until_ms / 1000.0, 'unixepoch') AS until,
       strftime('%Y-%m-%dT%H:%M:%fZ', m.looked_ms / 1000.0, 'unixepoch') AS looked_at,
       strftime('%Y-%m-%dT%H:%M:%fZ', m.server_ms / 1000.0, 'unixepoch') AS server_time,
       m.unaccounted,
       m.since_ms,
       m.until_ms,
       m.looked_ms AS looked_at_ms,
       m.server_ms AS server_time_ms
FROM watermark m
JOIN word a ON a.word_id = m.app
JOIN word r ON r.word_id = m.region;
