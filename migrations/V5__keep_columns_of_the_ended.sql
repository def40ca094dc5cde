-- What the standing questions add up, in columns. Millions of rows are read one by one in seconds; the
-- same numbers, packed column by column, in milliseconds.
--
-- All of it is derived: `prochist rebuild` makes it anew from the rows, which stay what is true. It begins
-- empty and is filled by the runs to come.

-- The processes of a range of keys that have ended. Segments lie one after another, from the first key on
-- without a hole; those of a later key are not in any yet.
CREATE TABLE segment (
    last_key         INTEGER PRIMARY KEY,
    first_key        INTEGER NOT NULL,
    processes        INTEGER NOT NULL,
    -- The first and the last of their times, so that a window need not read a segment to know that none
    -- of it lies inside; null where there is no process.
    created_first_ms INTEGER,
    created_last_ms  INTEGER,
    ended_first_ms   INTEGER,
    ended_last_ms    INTEGER,
    -- A bit for each key of the range, set where its process is in the segment; empty where all are.
    present          BLOB    NOT NULL,
    -- The places (app, region, deployment) and shapes (which times there are, how many holds) that occur.
    kinds            BLOB    NOT NULL
) STRICT;

-- One column of a segment: packed numbers, in order of key. Each in a row of its own, so that a question
-- reads those that it needs and passes over the others.
CREATE TABLE segment_column (
    name     TEXT    NOT NULL,
    last_key INTEGER NOT NULL,
    data     BLOB    NOT NULL,
    PRIMARY KEY (name, last_key)
) STRICT, WITHOUT ROWID;

-- Processes within the range of a segment that are to be read from their rows instead: those that are
-- open or lost, and those of which the segment tells what is no longer so.
CREATE TABLE loose (
    process_key INTEGER PRIMARY KEY,
    -- 1 where it has ended, so that the segment may take it in.
    ended       INTEGER NOT NULL
) STRICT;
CREATE INDEX loose_ended ON loose (process_key) WHERE ended = 1;

-- Whoever changes a row that a segment tells of makes its process loose, by whatever way. Most writes are
-- to processes that are open, or not in any segment yet, and cost a comparison. Which times a process was
-- seen at is in no segment.
CREATE TRIGGER process_updated
AFTER UPDATE OF process_key, app, deployment, region, created_ms, started_ms, stopping_ms, terminated_ms,
                outcome, ended_ms
ON process
WHEN (OLD.outcome IN ('stopped', 'failed') OR NEW.outcome IN ('stopped', 'failed'))
     AND OLD.process_key <= (SELECT max(last_key) FROM segment)
     AND (OLD.outcome IS NOT NEW.outcome OR OLD.ended_ms IS NOT NEW.ended_ms
          OR OLD.created_ms IS NOT NEW.created_ms OR OLD.started_ms IS NOT NEW.started_ms
          OR OLD.stopping_ms IS NOT NEW.stopping_ms OR OLD.terminated_ms IS NOT NEW.terminated_ms
          OR OLD.app IS NOT NEW.app OR OLD.region IS NOT NEW.region
          OR OLD.deployment IS NOT NEW.deployment OR OLD.process_key IS NOT NEW.process_key)
BEGIN
    INSERT INTO loose (process_key, ended)
    VALUES (OLD.process_key, NEW.outcome IN ('stopped', 'failed'))
    ON CONFLICT DO UPDATE SET ended = excluded.ended;
END;

-- Keys rise, so that a new process is in no segment; these are for whoever deletes some, or gives a key
-- that was free.
CREATE TRIGGER process_inserted AFTER INSERT ON process
WHEN NEW.process_key <= (SELECT max(last_key) FROM segment)
BEGIN
    INSERT INTO loose (process_key, ended)
    VALUES (NEW.process_key, NEW.outcome IN ('stopped', 'failed'))
    ON CONFLICT DO UPDATE SET ended = excluded.ended;
END;
CREATE TRIGGER process_deleted AFTER DELETE ON process
WHEN OLD.process_key <= (SELECT max(last_key) FROM segment)
BEGIN
    INSERT INTO loose (process_key, ended) VALUES (OLD.process_key, 0)
    ON CONFLICT DO UPDATE SET ended = 0;
END;

-- Of a process that is open nothing is in a segment, so that it is loose already.
CREATE TRIGGER hold_inserted AFTER INSERT ON hold
WHEN NEW.process_key <= (SELECT max(last_key) FROM segment)
BEGIN
    INSERT INTO loose (process_key, ended)
    SELECT p.process_key, p.outcome IN ('stopped', 'failed') FROM process p
    WHERE p.process_key = NEW.process_key
    ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER hold_updated AFTER UPDATE ON hold
WHEN OLD.process_key <= (SELECT max(last_key) FROM segment)
BEGIN
    INSERT INTO loose (process_key, ended)
    SELECT p.process_key, p.outcome IN ('stopped', 'failed') FROM process p
    WHERE p.process_key IN (OLD.process_key, NEW.process_key)
    ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER hold_deleted AFTER DELETE ON hold
WHEN OLD.process_key <= (SELECT max(last_key) FROM segment)
BEGIN
    INSERT INTO loose (process_key, ended)
    SELECT p.process_key, p.outcome IN ('stopped', 'failed') FROM process p
    WHERE p.process_key = OLD.process_key
    ON CONFLICT DO NOTHING;
END;
