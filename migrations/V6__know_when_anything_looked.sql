-- What every answer rests on, without reading the record for it: when anything looked, how many runs
-- did, how runs ended, and where there are processes. Until now the more was on record, the longer it
-- took to say so.
--
-- All of this can be worked out from the tables that it is about. Triggers keep it, so that whoever
-- writes these need not know of it, and a snapshot that is rolled back takes it along. Triggers see
-- rows come and change; whoever removes rows works it out anew.

-- Stretches of looks at an app with no pause in them: no more than 61 minutes between one look and the
-- next. App -1 is what archives look at: the apps in archive_app.
CREATE TABLE look_stretch (
    app     INTEGER NOT NULL,
    from_ms INTEGER NOT NULL,
    to_ms   INTEGER NOT NULL,
    looks   INTEGER NOT NULL,
    PRIMARY KEY (app, from_ms)
) STRICT, WITHOUT ROWID;
CREATE INDEX stream_app ON stream (app);

CREATE TRIGGER look_goes_on AFTER INSERT ON snapshot
BEGIN
    UPDATE look_stretch SET to_ms = max(to_ms, NEW.observed_at_ms), looks = looks + 1
    WHERE app = coalesce((SELECT t.app FROM stream t WHERE t.stream_id = NEW.stream_id), -1)
      AND from_ms = (
          SELECT max(s.from_ms) FROM look_stretch s
          WHERE s.app = coalesce((SELECT t.app FROM stream t WHERE t.stream_id = NEW.stream_id), -1)
            AND s.from_ms <= NEW.observed_at_ms)
      AND to_ms >= NEW.observed_at_ms - 3660000;
    INSERT INTO look_stretch (app, from_ms, to_ms, looks)
    SELECT n.app, NEW.observed_at_ms, NEW.observed_at_ms, 1
    FROM (SELECT coalesce((SELECT t.app FROM stream t WHERE t.stream_id = NEW.stream_id), -1) AS app) n
    WHERE NOT EXISTS (
        SELECT 1 FROM look_stretch s
        WHERE s.app = n.app
          AND s.from_ms = (SELECT max(e.from_ms) FROM look_stretch e
                           WHERE e.app = n.app AND e.from_ms <= NEW.observed_at_ms)
          AND s.to_ms >= NEW.observed_at_ms);
    -- A late look may bring two stretches together.
    UPDATE look_stretch
    SET to_ms = later.to_ms, looks = look_stretch.looks + later.looks
    FROM (SELECT s.app, s.to_ms, s.looks FROM look_stretch s
          WHERE s.app = coalesce((SELECT t.app FROM stream t WHERE t.stream_id = NEW.stream_id), -1)
            AND s.from_ms > NEW.observed_at_ms AND s.from_ms <= NEW.observed_at_ms + 3660000
          ORDER BY s.from_ms LIMIT 1) later
    WHERE look_stretch.app = later.app
      AND look_stretch.from_ms = (SELECT max(s.from_ms) FROM look_stretch s
                                  WHERE s.app = later.app AND s.from_ms <= NEW.observed_at_ms);
    DELETE FROM look_stretch
    WHERE app = coalesce((SELECT t.app FROM stream t WHERE t.stream_id = NEW.stream_id), -1)
      AND from_ms > NEW.observed_at_ms AND from_ms <= NEW.observed_at_ms + 3660000;
END;

-- How many runs looked is counted by stretches of 2^24 and of 2^31 milliseconds (4.7 hours, 25 days),
-- for each group of apps that runs look at together. So a run is counted once, however many of its
-- apps are asked about. Only those are counted that have ended and looked within one of the short
-- stretches; which are most. The others are loose: there are few, and they are told one by one.
CREATE TABLE look_group (
    group_id INTEGER PRIMARY KEY,
    -- Numbers of words, -1 for archives, in order, separated by commas.
    apps     TEXT NOT NULL UNIQUE
) STRICT;
CREATE TABLE look_count (
    group_id INTEGER NOT NULL REFERENCES look_group,
    -- Its length is that power of two: 24 or 31.
    size     INTEGER NOT NULL,
    -- Times shifted to the right by that size.
    stretch  INTEGER NOT NULL,
    runs     INTEGER NOT NULL,
    PRIMARY KEY (group_id, size, stretch)
) STRICT, WITHOUT ROWID;
CREATE TABLE loose_run (
    run_id   INTEGER PRIMARY KEY REFERENCES run,
    -- What it looked at, its first and its last look, once it has ended.
    group_id INTEGER REFERENCES look_group,
    first_ms INTEGER,
    last_ms  INTEGER
) STRICT;
CREATE TABLE loose_look (
    run_id    INTEGER NOT NULL REFERENCES run,
    stream_id INTEGER NOT NULL REFERENCES stream,
    first_ms  INTEGER NOT NULL,
    last_ms   INTEGER NOT NULL,
    PRIMARY KEY (run_id, stream_id)
) STRICT, WITHOUT ROWID;

-- What the runs in loose_look looked at.
CREATE VIEW run_looked AS
SELECT run_id, group_concat(app) AS apps, min(first_ms) AS first_ms, max(last_ms) AS last_ms
FROM (SELECT l.run_id, coalesce(t.app, -1) AS app,
             min(l.first_ms) AS first_ms, max(l.last_ms) AS last_ms
      FROM loose_look l JOIN stream t USING (stream_id)
      GROUP BY 1, 2 ORDER BY 1, 2)
GROUP BY run_id;

CREATE TRIGGER look_of_a_run AFTER INSERT ON snapshot
BEGIN
    INSERT INTO loose_look (run_id, stream_id, first_ms, last_ms)
    VALUES (NEW.run_id, NEW.stream_id, NEW.observed_at_ms, NEW.observed_at_ms)
    ON CONFLICT DO UPDATE SET first_ms = min(first_ms, excluded.first_ms),
                              last_ms = max(last_ms, excluded.last_ms);
    INSERT INTO loose_run (run_id) VALUES (NEW.run_id) ON CONFLICT DO NOTHING;
END;

CREATE TRIGGER run_ends_looking AFTER UPDATE OF finished_ms ON run
WHEN NEW.finished_ms IS NOT NULL
     AND EXISTS (SELECT 1 FROM loose_run l WHERE l.run_id = NEW.run_id AND l.group_id IS NULL)
BEGIN
    INSERT INTO look_group (apps)
    SELECT apps FROM run_looked WHERE run_id = NEW.run_id ON CONFLICT DO NOTHING;
    UPDATE loose_run
    SET group_id = g.group_id, first_ms = r.first_ms, last_ms = r.last_ms
    FROM run_looked r JOIN look_group g USING (apps)
    WHERE r.run_id = NEW.run_id AND loose_run.run_id = NEW.run_id;
    INSERT INTO look_count (group_id, size, stretch, runs)
    SELECT l.group_id, z.size, l.first_ms >> z.size, 1
    FROM loose_run l CROSS JOIN (SELECT 24 AS size UNION ALL SELECT 31) z
    WHERE l.run_id = NEW.run_id AND l.first_ms >> 24 = l.last_ms >> 24
    ON CONFLICT DO UPDATE SET runs = runs + 1;
    DELETE FROM loose_look
    WHERE run_id = NEW.run_id
      AND (SELECT first_ms >> 24 = last_ms >> 24 FROM loose_run WHERE run_id = NEW.run_id);
    DELETE FROM loose_run WHERE run_id = NEW.run_id AND first_ms >> 24 = last_ms >> 24;
END;

-- How runs ended, by the same stretches of when they began; the latest of each kind that ended so.
-- What has not ended is in no count.
CREATE TABLE run_count (
    kind    TEXT    NOT NULL,
    result  TEXT    NOT NULL,
    size    INTEGER NOT NULL,
    stretch INTEGER NOT NULL,
    runs    INTEGER NOT NULL,
    last_id INTEGER NOT NULL,
    PRIMARY KEY (kind, result, size, stretch)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER run_ends AFTER UPDATE OF result ON run
WHEN OLD.result = 'unfinished' AND NEW.result <> 'unfinished'
BEGIN
    INSERT INTO run_count (kind, result, size, stretch, runs, last_id)
    SELECT NEW.kind, NEW.result, z.size, NEW.started_ms >> z.size, 1, NEW.run_id
    FROM (SELECT 24 AS size UNION ALL SELECT 31) z
    WHERE TRUE
    ON CONFLICT DO UPDATE SET runs = runs + 1, last_id = max(last_id, excluded.last_id);
END;
CREATE INDEX run_unfinished ON run (kind, started_ms) WHERE result = 'unfinished';
CREATE INDEX run_troubled ON run (run_id, started_ms) WHERE result <> 'complete';

-- No gap is longer than the longest, so those that touch a moment begin within as much before it.
CREATE INDEX gap_length ON gap (until_ms - since_ms);

-- Where there are processes: how many of an app, region and deployment, how many of them are lost, when
-- the first and the last of them were created, and when any was first seen. It holds those up to a key;
-- those after it are told from their rows, and are few: they come along when a run ends, or when there
-- are many of them, all at once, which costs far less than one by one.
CREATE TABLE place (
    app              INTEGER NOT NULL REFERENCES word,
    region           INTEGER NOT NULL REFERENCES word,
    deployment       ANY     NOT NULL,
    processes        INTEGER NOT NULL,
    lost             INTEGER NOT NULL,
    first_created_ms INTEGER NOT NULL,
    last_created_ms  INTEGER NOT NULL,
    first_seen_ms    INTEGER NOT NULL,
    PRIMARY KEY (app, region, deployment)
) STRICT, WITHOUT ROWID;
CREATE TABLE placed (
    process_key INTEGER NOT NULL
) STRICT;

CREATE TRIGGER place_at_the_end_of_a_run AFTER UPDATE OF finished_ms ON run
WHEN (SELECT max(process_key) FROM process) > (SELECT process_key FROM placed)
BEGIN
    INSERT INTO place
    SELECT app, region, deployment, count(*), sum(outcome = 'lost'), min(created_ms), max(created_ms),
           min(first_seen_ms)
    FROM process WHERE process_key > (SELECT process_key FROM placed)
    GROUP BY 1, 2, 3
    ON CONFLICT DO UPDATE SET
        processes = processes + excluded.processes,
        lost = lost + excluded.lost,
        first_created_ms = min(first_created_ms, excluded.first_created_ms),
        last_created_ms = max(last_created_ms, excluded.last_created_ms),
        first_seen_ms = min(first_seen_ms, excluded.first_seen_ms);
    UPDATE placed SET process_key = (SELECT max(p.process_key) FROM process p);
END;
CREATE TRIGGER place_many AFTER INSERT ON snapshot
WHEN (SELECT max(process_key) FROM process) > (SELECT process_key FROM placed) + 20000
BEGIN
    INSERT INTO place
    SELECT app, region, deployment, count(*), sum(outcome = 'lost'), min(created_ms), max(created_ms),
           min(first_seen_ms)
    FROM process WHERE process_key > (SELECT process_key FROM placed)
    GROUP BY 1, 2, 3
    ON CONFLICT DO UPDATE SET
        processes = processes + excluded.processes,
        lost = lost + excluded.lost,
        first_created_ms = min(first_created_ms, excluded.first_created_ms),
        last_created_ms = max(last_created_ms, excluded.last_created_ms),
        first_seen_ms = min(first_seen_ms, excluded.first_seen_ms);
    UPDATE placed SET process_key = (SELECT max(p.process_key) FROM process p);
END;

-- How fast processes come: the shortest stretch in which ten of an app and region were created, of those
-- up to a key. It is worked out when a run ends, and there is none yet.
CREATE TABLE pace (
    app         INTEGER NOT NULL REFERENCES word,
    region      INTEGER NOT NULL REFERENCES word,
    shortest_ms INTEGER,
    -- A JSON array of when the latest nine were created.
    latest      TEXT    NOT NULL,
    PRIMARY KEY (app, region)
) STRICT, WITHOUT ROWID;
CREATE TABLE paced (
    process_key INTEGER NOT NULL
) STRICT;
INSERT INTO paced VALUES (0);

-- How many versions there are; the recorder counts them.
CREATE TABLE version_count (
    versions INTEGER NOT NULL
) STRICT;

-- One trigger for all that may change. None of it does when a process starts, changes its rooms or ends,
-- and a trigger costs something wherever it might. Those that are lost are those that have a lost_ms.
CREATE TRIGGER process_changes AFTER UPDATE OF app, region, deployment, created_ms, first_seen_ms, lost_ms ON process
WHEN (NEW.first_seen_ms <> OLD.first_seen_ms
      OR (NEW.lost_ms IS NULL) <> (OLD.lost_ms IS NULL)
      OR NEW.created_ms <> OLD.created_ms
      OR NEW.app <> OLD.app OR NEW.region <> OLD.region OR NEW.deployment <> OLD.deployment)
     AND OLD.process_key <= (SELECT process_key FROM placed)
BEGIN
    UPDATE place SET lost = lost + (NEW.lost_ms IS NOT NULL) - (OLD.lost_ms IS NOT NULL),
                     first_seen_ms = min(first_seen_ms, NEW.first_seen_ms)
    WHERE app = NEW.app AND region = NEW.region AND deployment = NEW.deployment;
    -- What never happens to a process, and may be said of one all the same.
    DELETE FROM place
    WHERE (NEW.first_seen_ms > OLD.first_seen_ms OR NEW.created_ms <> OLD.created_ms
           OR NEW.app <> OLD.app OR NEW.region <> OLD.region OR NEW.deployment <> OLD.deployment)
      AND ((app = OLD.app AND region = OLD.region AND deployment = OLD.deployment)
           OR (app = NEW.app AND region = NEW.region AND deployment = NEW.deployment));
    INSERT INTO place
    SELECT app, region, deployment, count(*), sum(outcome = 'lost'), min(created_ms), max(created_ms),
           min(first_seen_ms)
    FROM process
    WHERE (NEW.first_seen_ms > OLD.first_seen_ms OR NEW.created_ms <> OLD.created_ms
           OR NEW.app <> OLD.app OR NEW.region <> OLD.region OR NEW.deployment <> OLD.deployment)
      AND ((deployment = OLD.deployment AND app = OLD.app AND region = OLD.region)
           OR (deployment = NEW.deployment AND app = NEW.app AND region = NEW.region))
      AND process_key <= (SELECT process_key FROM placed)
    GROUP BY app, region, deployment;
    DELETE FROM pace
    WHERE NEW.created_ms <> OLD.created_ms OR NEW.app <> OLD.app OR NEW.region <> OLD.region;
    UPDATE paced SET process_key = 0
    WHERE NEW.created_ms <> OLD.created_ms OR NEW.app <> OLD.app OR NEW.region <> OLD.region;
END;

INSERT INTO look_stretch (app, from_ms, to_ms, looks)
SELECT app, min(at_ms), max(at_ms), count(*)
FROM (SELECT app, at_ms, sum(coalesce(is_first, 0)) OVER (PARTITION BY app ORDER BY at_ms) AS stretch
      FROM (SELECT coalesce(t.app, -1) AS app, n.observed_at_ms AS at_ms,
                   n.observed_at_ms - lag(n.observed_at_ms) OVER (
                       PARTITION BY coalesce(t.app, -1) ORDER BY n.observed_at_ms) > 3660000 AS is_first
            FROM snapshot n JOIN stream t USING (stream_id)))
GROUP BY app, stretch;

INSERT INTO loose_look (run_id, stream_id, first_ms, last_ms)
SELECT run_id, stream_id, min(observed_at_ms), max(observed_at_ms) FROM snapshot GROUP BY 1, 2;
INSERT INTO look_group (apps)
SELECT DISTINCT r.apps FROM run_looked r JOIN run u USING (run_id)
WHERE u.finished_ms IS NOT NULL ORDER BY r.apps;
INSERT INTO loose_run (run_id, group_id, first_ms, last_ms)
SELECT r.run_id, g.group_id,
       CASE WHEN g.group_id IS NOT NULL THEN r.first_ms END,
       CASE WHEN g.group_id IS NOT NULL THEN r.last_ms END
FROM run_looked r
JOIN run u USING (run_id)
LEFT JOIN look_group g ON g.apps = r.apps AND u.finished_ms IS NOT NULL;
INSERT INTO look_count (group_id, size, stretch, runs)
SELECT l.group_id, z.size, l.first_ms >> z.size, count(*)
FROM loose_run l CROSS JOIN (SELECT 24 AS size UNION ALL SELECT 31) z
WHERE l.first_ms >> 24 = l.last_ms >> 24
GROUP BY 1, 2, 3;
DELETE FROM loose_look
WHERE run_id IN (SELECT run_id FROM loose_run WHERE first_ms >> 24 = last_ms >> 24);
DELETE FROM loose_run WHERE first_ms >> 24 = last_ms >> 24;

INSERT INTO run_count (kind, result, size, stretch, runs, last_id)
SELECT u.kind, u.result, z.size, u.started_ms >> z.size, count(*), max(u.run_id)
FROM run u CROSS JOIN (SELECT 24 AS size UNION ALL SELECT 31) z
WHERE u.result <> 'unfinished'
GROUP BY 1, 2, 3, 4;

INSERT INTO place
SELECT app, region, deployment, count(*), sum(outcome = 'lost'), min(created_ms), max(created_ms),
       min(first_seen_ms)
FROM process GROUP BY 1, 2, 3;
INSERT INTO placed (process_key) SELECT coalesce(max(process_key), 0) FROM process;
INSERT INTO version_count SELECT count(*) FROM version;
