-- The first schema: what was observed, and the views that people may rely on.
--
-- Tables are the file's own business and may be rearranged by a later migration; the views below
-- them keep their columns and their meanings for good.
--
-- Observations are not stored one by one. A process's observations are the snapshots in its
-- sightings, and what each said is the version in force at that moment. So an observation that
-- changes nothing writes nothing, and still every observation can be told exactly, which is what
-- makes the file independent of the order in which archives are imported.

-- Every text that repeats: ids of apps, regions, statuses, hosts, names, unknown fields as JSON.
CREATE TABLE word (
    word_id INTEGER PRIMARY KEY,
    text    TEXT NOT NULL UNIQUE
) STRICT;

-- "No text", so that a column that refers to a word need not be null inside a unique key.
INSERT INTO word (word_id, text) VALUES (0, '');

-- One sync, import or caller of the library: the ledger.
CREATE TABLE run (
    run_id            INTEGER PRIMARY KEY,
    kind              TEXT    NOT NULL CHECK (kind IN ('sync', 'import', 'library')),
    source            TEXT    NOT NULL,
    started_ms        INTEGER NOT NULL,
    finished_ms       INTEGER,
    result            TEXT    NOT NULL DEFAULT 'unfinished'
                      CHECK (result IN ('unfinished', 'complete', 'partial', 'failed')),
    error             TEXT,
    snapshots         INTEGER NOT NULL DEFAULT 0,
    requests          INTEGER NOT NULL DEFAULT 0,
    retries           INTEGER NOT NULL DEFAULT 0,
    bytes             INTEGER NOT NULL DEFAULT 0,
    processes_seen    INTEGER NOT NULL DEFAULT 0,
    processes_new     INTEGER NOT NULL DEFAULT 0,
    processes_changed INTEGER NOT NULL DEFAULT 0,
    processes_lost    INTEGER NOT NULL DEFAULT 0,
    set_aside         INTEGER NOT NULL DEFAULT 0,
    deferred          INTEGER NOT NULL DEFAULT 0
) STRICT;

-- What could not be understood, kept raw.
CREATE TABLE aside (
    aside_id INTEGER PRIMARY KEY,
    run_id   INTEGER NOT NULL REFERENCES run,
    source   TEXT    NOT NULL,
    line     INTEGER,
    reason   TEXT    NOT NULL,
    raw      BLOB    NOT NULL
) STRICT;
CREATE INDEX aside_run ON aside (run_id);

-- Stretches of creation time in which processes may have come and gone unseen.
CREATE TABLE gap (
    gap_id          INTEGER PRIMARY KEY,
    run_id          INTEGER NOT NULL REFERENCES run,
    app             INTEGER NOT NULL REFERENCES word,
    region          INTEGER REFERENCES word,
    status          INTEGER REFERENCES word,
    since_ms        INTEGER NOT NULL,
    until_ms        INTEGER NOT NULL,
    hidden_at_least INTEGER
) STRICT;
CREATE INDEX gap_since ON gap (since_ms);
CREATE INDEX gap_run ON gap (run_id);

-- A stream is a series of snapshots from one source in strictly rising order of time.
CREATE TABLE stream (
    stream_id INTEGER PRIMARY KEY,
    source    TEXT    NOT NULL,
    -- The one app that it is about; null where it may show any.
    app       INTEGER REFERENCES word,
    last_ms   INTEGER NOT NULL
) STRICT;
CREATE INDEX stream_source ON stream (source);

CREATE TABLE snapshot (
    stream_id      INTEGER NOT NULL REFERENCES stream,
    observed_at_ms INTEGER NOT NULL,
    run_id         INTEGER NOT NULL REFERENCES run,
    PRIMARY KEY (stream_id, observed_at_ms)
) STRICT, WITHOUT ROWID;
-- Every answer says which period is covered, and by how many runs.
CREATE INDEX snapshot_observed ON snapshot (observed_at_ms, run_id);

-- One row a process: its latest state, as far as the questions group, filter and compute by it.
CREATE TABLE process (
    process_key   INTEGER PRIMARY KEY,
    process_id    TEXT    NOT NULL UNIQUE,
    app           INTEGER NOT NULL REFERENCES word,
    deployment    ANY     NOT NULL,
    region        INTEGER NOT NULL REFERENCES word,
    status        INTEGER NOT NULL REFERENCES word,
    created_ms    INTEGER NOT NULL,
    started_ms    INTEGER,
    stopping_ms   INTEGER,
    terminated_ms INTEGER,
    outcome       TEXT    NOT NULL CHECK (outcome IN ('open', 'stopped', 'failed', 'lost')),
    -- When it ended: terminated, else stopping, else first seen ended; null while it has not.
    ended_ms      INTEGER,
    lost_ms       INTEGER,
    first_seen_ms INTEGER NOT NULL,
    -- Null while a sighting of it is open: then it is as late as that sighting's stream.
    last_seen_ms  INTEGER,
    versions      INTEGER NOT NULL
) STRICT;
-- Each sync asks which processes are open; there are few among many.
CREATE INDEX process_open ON process (app, last_seen_ms) WHERE outcome = 'open';

-- Consecutive snapshots of one stream, all of which showed the process. Open (no last) while the
-- stream's latest snapshot is among them.
CREATE TABLE sighting (
    process_key INTEGER NOT NULL REFERENCES process,
    stream_id   INTEGER NOT NULL REFERENCES stream,
    first_ms    INTEGER NOT NULL,
    last_ms     INTEGER,
    PRIMARY KEY (process_key, stream_id, first_ms)
) STRICT, WITHOUT ROWID;
-- A run that continues a stream starts from what its latest snapshot showed.
CREATE INDEX sighting_open ON sighting (stream_id) WHERE last_ms IS NULL;

-- Looks that are known to have shown every live process of an app. App 0 stands for every app in
-- complete_app: those that complete archives have named.
CREATE TABLE complete_look (
    app            INTEGER NOT NULL REFERENCES word,
    observed_at_ms INTEGER NOT NULL,
    PRIMARY KEY (app, observed_at_ms)
) STRICT, WITHOUT ROWID;
CREATE TABLE complete_app (
    app      INTEGER PRIMARY KEY REFERENCES word,
    -- The earliest such archive's moment: before, its absence from one said nothing.
    named_ms INTEGER NOT NULL
) STRICT;

-- Moments at which the source, asked for a process, did not know it.
CREATE TABLE unknown_look (
    process_key    INTEGER NOT NULL REFERENCES process,
    observed_at_ms INTEGER NOT NULL,
    PRIMARY KEY (process_key, observed_at_ms)
) STRICT, WITHOUT ROWID;

CREATE TABLE endpoint (
    endpoint_id INTEGER PRIMARY KEY,
    host        INTEGER NOT NULL REFERENCES word,
    port        INTEGER NOT NULL,
    transport   INTEGER NOT NULL REFERENCES word,
    UNIQUE (host, port, transport)
) STRICT;

CREATE TABLE exposed_port (
    exposed_port_id INTEGER PRIMARY KEY,
    endpoint_id     INTEGER NOT NULL REFERENCES endpoint,
    transport_type  INTEGER NOT NULL REFERENCES word,
    name            INTEGER NOT NULL REFERENCES word,
    extra           INTEGER NOT NULL REFERENCES word,
    UNIQUE (endpoint_id, transport_type, name, extra)
) STRICT;

-- Every state that a process was seen in, whole. The latest has no last_seen_ms: it is the
-- process's own.
CREATE TABLE version (
    process_key       INTEGER NOT NULL REFERENCES process,
    version           INTEGER NOT NULL,
    first_seen_ms     INTEGER NOT NULL,
    last_seen_ms      INTEGER,
    changed           INTEGER NOT NULL REFERENCES word,
    app               INTEGER NOT NULL REFERENCES word,
    deployment        ANY     NOT NULL,
    region            INTEGER NOT NULL REFERENCES word,
    status            INTEGER NOT NULL REFERENCES word,
    rooms_allocated   INTEGER NOT NULL,
    rooms_per_process INTEGER NOT NULL,
    created_ms        INTEGER NOT NULL,
    started_ms        INTEGER,
    stopping_ms       INTEGER,
    terminated_ms     INTEGER,
    exposed_port      INTEGER REFERENCES exposed_port,
    -- A JSON array of exposed_port_id, in the order given; null where there is none.
    additional_ports  TEXT,
    extra             INTEGER NOT NULL REFERENCES word,
    PRIMARY KEY (process_key, version)
) STRICT, WITHOUT ROWID;

-- One process holding one endpoint. In order of time within an endpoint, so that its holder at a
-- moment is found without reading the others.
CREATE TABLE hold (
    endpoint_id   INTEGER NOT NULL REFERENCES endpoint,
    held_from_ms  INTEGER NOT NULL,
    process_key   INTEGER NOT NULL REFERENCES process,
    held_until_ms INTEGER,
    PRIMARY KEY (endpoint_id, held_from_ms, process_key)
) STRICT, WITHOUT ROWID;
-- A process's own holds, when its times change.
CREATE INDEX hold_process ON hold (process_key);

-- Helpers of the views below; not for others to rely on.

-- One exposed port as the API would write it. Unknown fields are joined on as text, since SQLite's
-- JSON functions would drop their nulls.
CREATE VIEW exposed_port_json AS
SELECT x.exposed_port_id,
       substr(o.json, 1, length(o.json) - 1)
       || CASE e.text WHEN '' THEN '}' ELSE ',' || substr(e.text, 2) END AS json
FROM exposed_port x
JOIN word e ON e.word_id = x.extra
JOIN (
    SELECT i.exposed_port_id,
           json_object('host', h.text, 'port', n.port, 'name', m.text, 'transportType', t.text) AS json
    FROM exposed_port i
    JOIN endpoint n USING (endpoint_id)
    JOIN word h ON h.word_id = n.host
    JOIN word m ON m.word_id = i.name
    JOIN word t ON t.word_id = i.transport_type
) o ON o.exposed_port_id = x.exposed_port_id;

-- A process with the moment it was last seen.
CREATE VIEW process_seen AS
SELECT p.*,
       coalesce(
           p.last_seen_ms,
           (SELECT max(coalesce(s.last_ms, t.last_ms))
            FROM sighting s JOIN stream t USING (stream_id)
            WHERE s.process_key = p.process_key)
       ) AS seen_until_ms
FROM process p;

-- The views that people may rely on.

CREATE VIEW process_versions AS
SELECT p.process_id,
       v.version,
       strftime('%Y-%m-%dT%H:%M:%fZ', v.first_seen_ms / 1000.0, 'unixepoch') AS first_seen_at,
       strftime('%Y-%m-%dT%H:%M:%fZ', coalesce(v.last_seen_ms, p.seen_until_ms) / 1000.0, 'unixepoch') AS last_seen_at,
       nullif(c.text, '') AS changed,
       a.text AS app_id,
       v.deployment AS deployment_id,
       r.text AS region,
       s.text AS status,
       v.rooms_allocated,
       v.rooms_per_process,
       strftime('%Y-%m-%dT%H:%M:%fZ', v.created_ms / 1000.0, 'unixepoch') AS created_at,
       strftime('%Y-%m-%dT%H:%M:%fZ', v.started_ms / 1000.0, 'unixepoch') AS started_at,
       strftime('%Y-%m-%dT%H:%M:%fZ', v.stopping_ms / 1000.0, 'unixepoch') AS stopping_at,
       strftime('%Y-%m-%dT%H:%M:%fZ', v.terminated_ms / 1000.0, 'unixepoch') AS terminated_at,
       (SELECT j.json FROM exposed_port_json j WHERE j.exposed_port_id = v.exposed_port) AS exposed_port,
       CASE WHEN v.additional_ports IS NULL THEN '[]' ELSE
           (SELECT '[' || group_concat(o.json, ',') || ']'
            FROM (SELECT j.json
                  FROM json_each(v.additional_ports) i
                  JOIN exposed_port_json j ON j.exposed_port_id = i.value
                  ORDER BY i.key) o)
       END AS additional_exposed_ports,
       nullif(x.text, '') AS extra,
       v.first_seen_ms AS first_seen_at_ms,
       coalesce(v.last_seen_ms, p.seen_until_ms) AS last_seen_at_ms,
       v.created_ms AS created_at_ms,
       v.started_ms AS started_at_ms,
       v.stopping_ms AS stopping_at_ms,
       v.terminated_ms AS terminated_at_ms
FROM version v
JOIN process_seen p USING (process_key)
JOIN word a ON a.word_id = v.app
JOIN word r ON r.word_id = v.region
JOIN word s ON s.word_id = v.status
JOIN word c ON c.word_id = v.changed
JOIN word x ON x.word_id = v.extra;

CREATE VIEW processes AS
SELECT p.process_id,
       a.text AS app_id,
       p.deployment AS deployment_id,
       r.text AS region,
       s.text AS status,
       p.outcome,
       v.rooms_allocated,
       v.rooms_per_process,
       strftime('%Y-%m-%dT%H:%M:%fZ', p.created_ms / 1000.0, 'unixepoch') AS created_at,
       strftime('%Y-%m-%dT%H:%M:%fZ', p.started_ms / 1000.0, 'unixepoch') AS started_at,
       strftime('%Y-%m-%dT%H:%M:%fZ', p.stopping_ms / 1000.0, 'unixepoch') AS stopping_at,
       strftime('%Y-%m-%dT%H:%M:%fZ', p.terminated_ms / 1000.0, 'unixepoch') AS terminated_at,
       strftime('%Y-%m-%dT%H:%M:%fZ', p.ended_ms / 1000.0, 'unixepoch') AS ended_at,
       strftime('%Y-%m-%dT%H:%M:%fZ', p.lost_ms / 1000.0, 'unixepoch') AS lost_at,
       (SELECT j.json FROM exposed_port_json j WHERE j.exposed_port_id = v.exposed_port) AS exposed_port,
       CASE WHEN v.additional_ports IS NULL THEN '[]' ELSE
           (SELECT '[' || group_concat(o.json, ',') || ']'
            FROM (SELECT j.json
                  FROM json_each(v.additional_ports) i
                  JOIN exposed_port_json j ON j.exposed_port_id = i.value
                  ORDER BY i.key) o)
       END AS additional_exposed_ports,
       (SELECT nullif(x.text, '') FROM word x WHERE x.word_id = v.extra) AS extra,
       strftime('%Y-%m-%dT%H:%M:%fZ', p.first_seen_ms / 1000.0, 'unixepoch') AS first_seen_at,
       strftime('%Y-%m-%dT%H:%M:%fZ', p.seen_until_ms / 1000.0, 'unixepoch') AS last_seen_at,
       p.versions AS version,
       p.created_ms AS created_at_ms,
       p.started_ms AS started_at_ms,
       p.stopping_ms AS stopping_at_ms,
       p.terminated_ms AS terminated_at_ms,
       p.ended_ms AS ended_at_ms,
       p.lost_ms AS lost_at_ms,
       p.first_seen_ms AS first_seen_at_ms,
       p.seen_until_ms AS last_seen_at_ms
FROM process_seen p
-- A left join on a whole key costs nothing where none of its columns is asked for.
LEFT JOIN version v ON v.process_key = p.process_key AND v.version = p.versions
JOIN word a ON a.word_id = p.app
JOIN word r ON r.word_id = p.region
JOIN word s ON s.word_id = p.status;

-- Lengths are null where a process has none, never negative; docs/definitions.md says when.
CREATE VIEW lifetimes AS
SELECT p.process_id,
       a.text AS app_id,
       p.deployment AS deployment_id,
       r.text AS region,
       p.outcome,
       strftime('%Y-%m-%dT%H:%M:%fZ', p.created_ms / 1000.0, 'unixepoch') AS created_at,
       CASE WHEN p.started_ms >= p.created_ms THEN p.started_ms - p.created_ms END AS provisioning_ms,
       CASE WHEN coalesce(p.stopping_ms, p.terminated_ms) >= p.started_ms
            THEN coalesce(p.stopping_ms, p.terminated_ms) - p.started_ms END AS serving_ms,
       CASE WHEN p.terminated_ms >= p.stopping_ms THEN p.terminated_ms - p.stopping_ms END AS stopping_ms,
       CASE WHEN p.terminated_ms >= p.created_ms THEN p.terminated_ms - p.created_ms END AS lifetime_ms,
       -- Of one not known to have ended: how old it was when last seen.
       CASE WHEN p.outcome IN ('open', 'lost') AND p.seen_until_ms >= p.created_ms
            THEN p.seen_until_ms - p.created_ms END AS age_so_far_ms,
       p.created_ms AS created_at_ms
FROM process_seen p
JOIN word a ON a.word_id = p.app
JOIN word r ON r.word_id = p.region;

CREATE VIEW port_holds AS
SELECT p.process_id,
       a.text AS app_id,
       p.deployment AS deployment_id,
       r.text AS region,
       w.text AS host,
       e.port,
       t.text AS transport,
       p.outcome,
       strftime('%Y-%m-%dT%H:%M:%fZ', h.held_from_ms / 1000.0, 'unixepoch') AS held_from,
       strftime('%Y-%m-%dT%H:%M:%fZ', h.held_until_ms / 1000.0, 'unixepoch') AS held_until,
       -- Since the previous hold of the endpoint ended; negative where the two overlap, null for
       -- the first one and where that end is not known or lies before its own beginning. Looked up
       -- rather than counted along, so that one endpoint is answered without reading the others.
       CASE WHEN h.held_from_ms <= coalesce(h.held_until_ms, h.held_from_ms) THEN
           h.held_from_ms
           - (SELECT CASE WHEN i.held_until_ms >= i.held_from_ms THEN i.held_until_ms END
              FROM hold i
              JOIN process q USING (process_key)
              WHERE i.endpoint_id = h.endpoint_id
                AND i.held_from_ms <= h.held_from_ms
                AND (i.held_from_ms < h.held_from_ms OR q.process_id < p.process_id)
              ORDER BY i.held_from_ms DESC, q.process_id DESC
              LIMIT 1)
       END AS gap_ms,
       h.held_from_ms,
       h.held_until_ms
FROM hold h
JOIN process p USING (process_key)
JOIN endpoint e USING (endpoint_id)
JOIN word w ON w.word_id = e.host
JOIN word t ON t.word_id = e.transport
JOIN word a ON a.word_id = p.app
JOIN word r ON r.word_id = p.region;

CREATE VIEW sync_runs AS
SELECT u.run_id,
       u.kind,
       u.source,
       strftime('%Y-%m-%dT%H:%M:%fZ', u.started_ms / 1000.0, 'unixepoch') AS started_at,
       strftime('%Y-%m-%dT%H:%M:%fZ', u.finished_ms / 1000.0, 'unixepoch') AS finished_at,
       u.result,
       u.error,
       u.snapshots,
       u.requests,
       u.retries,
       u.bytes,
       u.processes_seen,
       u.processes_new,
       u.processes_changed,
       u.processes_lost,
       u.set_aside,
       u.deferred,
       (SELECT count(*) FROM gap g WHERE g.run_id = u.run_id) AS gaps,
       u.started_ms AS started_at_ms,
       u.finished_ms AS finished_at_ms
FROM run u;

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
       g.since_ms,
       g.until_ms
FROM gap g
JOIN word a ON a.word_id = g.app
LEFT JOIN word r ON r.word_id = g.region
LEFT JOIN word s ON s.word_id = g.status;

CREATE VIEW set_aside AS
SELECT d.aside_id AS set_aside_id, d.run_id, d.source, d.line, d.reason, CAST(d.raw AS TEXT) AS raw
FROM aside d;
