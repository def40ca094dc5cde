-- What taking care of the file needs to know: what was removed from it, and which runs two files share.

-- What was pruned. The rows of old processes may be removed, and from then on an answer about their time
-- would be silently incomplete. So it is kept which stretch of time they lived in, and how many they were.
CREATE TABLE pruned (
    -- When the pruning began, by the clock of whoever did it.
    pruned_ms        INTEGER NOT NULL,
    app              INTEGER NOT NULL REFERENCES word,
    -- Those were pruned that had ended, and were last seen, before.
    before_ms        INTEGER NOT NULL,
    processes        INTEGER NOT NULL,
    versions         INTEGER NOT NULL,
    -- From the first creation until the last of them was gone: its end, or its last sighting if later. (Where
    -- times are out of order, the one that comes first, and the one that comes last.)
    first_created_ms INTEGER NOT NULL,
    last_gone_ms     INTEGER NOT NULL,
    -- 0 until what nothing refers to any more was removed, too.
    is_swept         INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (pruned_ms, app)
) STRICT, WITHOUT ROWID;

CREATE VIEW prunings AS
SELECT strftime('%Y-%m-%dT%H:%M:%fZ', p.pruned_ms / 1000.0, 'unixepoch') AS pruned_at,
       a.text AS app_id,
       strftime('%Y-%m-%dT%H:%M:%fZ', p.before_ms / 1000.0, 'unixepoch') AS ended_before,
       p.processes,
       p.versions,
       strftime('%Y-%m-%dT%H:%M:%fZ', p.first_created_ms / 1000.0, 'unixepoch') AS since,
       strftime('%Y-%m-%dT%H:%M:%fZ', p.last_gone_ms / 1000.0, 'unixepoch') AS until,
       p.pruned_ms AS pruned_at_ms,
       p.before_ms AS ended_before_ms,
       p.first_created_ms AS since_ms,
       p.last_gone_ms AS until_ms
FROM pruned p
JOIN word a ON a.word_id = p.app;

-- Tells a run, and a stream, from all others, in whatever file it is, so that a history that was merged
-- before can be merged again. Chance gives it. Of those that are here it follows from when they began, so
-- that it is the same in copies of this file, each of which is upgraded by itself.
ALTER TABLE run ADD COLUMN uid INTEGER;
UPDATE run SET uid = started_ms * 16384 + run_id % 16384;
CREATE INDEX run_uid ON run (uid);
ALTER TABLE stream ADD COLUMN uid INTEGER;
UPDATE stream
SET uid = (SELECT coalesce(min(n.observed_at_ms), 0) FROM snapshot n
           WHERE n.stream_id = stream.stream_id) * 16384
          + stream_id % 16384;
CREATE INDEX stream_uid ON stream (uid);
