//! What must hold between the rows, each as a statement that finds those that break it. Written from
//! docs/definitions.md and docs/schema.md and not from the recorder, which it is to find out.

/// Something that must hold of every row.
pub(super) struct Rule {
    pub name: &'static str,
    pub says: &'static str,
    /// Gives one text for each row that breaks it.
    pub broken: &'static str,
}

pub(super) const RULES: [Rule; 13] = [
    Rule {
        name: "version_numbers",
        says: "a process's versions count up from 1 without a hole",
        broken: "SELECT 'process ' || p.process_id FROM process p
             LEFT JOIN (SELECT process_key, count(*) AS n, min(version) AS low, max(version) AS high
                        FROM version GROUP BY process_key) v USING (process_key)
             WHERE v.n IS NOT p.versions OR v.low <> 1 OR v.high <> v.n",
    },
    Rule {
        name: "version_times",
        says: "versions follow each other in time, and the latest alone has no last moment of its own",
        broken: "SELECT 'version ' || v.version || ' of process ' || p.process_id
             FROM version v
             JOIN process p USING (process_key)
             LEFT JOIN version w ON w.process_key = v.process_key AND w.version = v.version + 1
             WHERE (v.last_seen_ms IS NULL) <> (w.version IS NULL)
                OR v.last_seen_ms < v.first_seen_ms OR w.first_seen_ms < v.last_seen_ms
                OR (v.version = 1 AND v.first_seen_ms <> p.first_seen_ms)",
    },
    Rule {
        name: "version_changes",
        says: "each version differs from the one before, in the fields that it names",
        // Of unknown fields only that some differ: which, is within a text.
        broken: "SELECT 'version ' || v.version || ' of process ' || p.process_id
             FROM version v
             JOIN word c ON c.word_id = v.changed
             JOIN process p USING (process_key)
             LEFT JOIN version e ON e.process_key = v.process_key AND e.version = v.version - 1
             WHERE CASE
                 WHEN e.version IS NULL THEN c.text <> ''
                 WHEN v.extra = e.extra THEN c.text = '' OR ',' || c.text <> ''
                     || iif(v.app IS NOT e.app, ',app_id', '')
                     || iif(v.deployment IS NOT e.deployment, ',deployment_id', '')
                     || iif(v.region IS NOT e.region, ',region', '')
                     || iif(v.status IS NOT e.status, ',status', '')
                     || iif(v.rooms_allocated IS NOT e.rooms_allocated, ',rooms_allocated', '')
                     || iif(v.rooms_per_process IS NOT e.rooms_per_process, ',rooms_per_process', '')
                     || iif(v.created_ms IS NOT e.created_ms, ',created_at', '')
                     || iif(v.started_ms IS NOT e.started_ms, ',started_at', '')
                     || iif(v.stopping_ms IS NOT e.stopping_ms, ',stopping_at', '')
                     || iif(v.terminated_ms IS NOT e.terminated_ms, ',terminated_at', '')
                     || iif(v.exposed_port IS NOT e.exposed_port, ',exposed_port', '')
                     || iif(v.additional_ports IS NOT e.additional_ports, ',additional_exposed_ports', '')
                 ELSE c.text = '' END",
    },
    Rule {
        name: "latest_state",
        says: "a process's own row says what its latest version says",
        broken: "SELECT 'process ' || p.process_id FROM process p
             LEFT JOIN version v ON v.process_key = p.process_key AND v.version = p.versions
             WHERE v.app IS NOT p.app OR v.deployment IS NOT p.deployment OR v.region IS NOT p.region
                OR v.status IS NOT p.status OR v.created_ms IS NOT p.created_ms
                OR v.started_ms IS NOT p.started_ms OR v.stopping_ms IS NOT p.stopping_ms
                OR v.terminated_ms IS NOT p.terminated_ms",
    },
    Rule {
        name: "outcomes",
        says: "a process ended as, and when, its versions say, and is lost only where a look says so",
        broken: "SELECT 'process ' || p.process_id
             FROM process_seen p
             JOIN word s ON s.word_id = p.status
             WHERE p.outcome <> CASE
                     WHEN s.text = 'failed' THEN 'failed'
                     WHEN s.text = 'stopped' OR p.terminated_ms IS NOT NULL THEN 'stopped'
                     WHEN p.lost_ms IS NOT NULL THEN 'lost' ELSE 'open' END
                OR p.ended_ms IS NOT CASE WHEN p.outcome IN ('stopped', 'failed') THEN
                     coalesce(p.terminated_ms, p.stopping_ms,
                        (SELECT min(v.first_seen_ms) FROM version v
                         WHERE v.process_key = p.process_key
                           AND v.version > coalesce(
                               (SELECT max(o.version) FROM version o JOIN word w ON w.word_id = o.status
                                WHERE o.process_key = p.process_key AND o.terminated_ms IS NULL
                                  AND w.text NOT IN ('stopped', 'failed')), 0))) END
                OR p.lost_ms IS NOT CASE WHEN p.outcome IN ('open', 'lost') THEN
                     (SELECT min(l.at_ms) FROM (
                          SELECT min(u.observed_at_ms) AS at_ms FROM unknown_look u
                          WHERE u.process_key = p.process_key AND u.observed_at_ms > p.seen_until_ms
                          UNION ALL
                          SELECT min(c.observed_at_ms) FROM complete_look c
                          WHERE c.app = p.app AND c.observed_at_ms > p.seen_until_ms
                          UNION ALL
                          SELECT min(c.observed_at_ms) FROM complete_look c
                          WHERE c.app = 0 AND c.observed_at_ms > p.seen_until_ms
                            AND EXISTS (SELECT 1 FROM complete_app a WHERE a.app = p.app)) l) END",
    },
    Rule {
        name: "ports",
        says: "the additional ports of a version are a list of ports that are there",
        broken: "SELECT 'version ' || v.version || ' of process ' || p.process_id
             FROM version v
             JOIN process p USING (process_key)
             WHERE v.additional_ports IS NOT NULL
               AND CASE WHEN json_valid(v.additional_ports) THEN
                       json_type(v.additional_ports) <> 'array'
                       OR EXISTS (SELECT 1 FROM json_each(v.additional_ports) j
                                  WHERE NOT EXISTS (SELECT 1 FROM exposed_port x
                                                    WHERE x.exposed_port_id = j.value))
                   ELSE TRUE END",
    },
    Rule {
        name: "holds",
        says: "a process holds the endpoints that its versions show, from when until when they say",
        broken: "SELECT 'process ' || p.process_id || ' at endpoint ' || endpoint_id
             FROM (
                 SELECT process_key, endpoint_id, held_from_ms, held_until_ms FROM hold
                 UNION ALL
                 SELECT q.process_key, f.endpoint_id,
                        coalesce(q.started_ms, min(f.first_ms, coalesce(q.until_ms, f.first_ms))),
                        q.until_ms
                 FROM (SELECT process_key, endpoint_id, min(first_ms) AS first_ms
                       FROM (SELECT v.process_key, x.endpoint_id, v.first_seen_ms AS first_ms
                             FROM version v JOIN exposed_port x ON x.exposed_port_id = v.exposed_port
                             UNION ALL
                             SELECT v.process_key, x.endpoint_id, v.first_seen_ms
                             FROM version v
                             JOIN json_each(iif(json_valid(v.additional_ports), v.additional_ports, '[]')) j
                             JOIN exposed_port x ON x.exposed_port_id = j.value
                             WHERE v.additional_ports IS NOT NULL)
                       GROUP BY process_key, endpoint_id) f
                 JOIN (SELECT process_key, started_ms,
                              coalesce(terminated_ms,
                                  CASE WHEN outcome IN ('stopped', 'failed') THEN stopping_ms END) AS until_ms
                       FROM process) q USING (process_key)) h
             LEFT JOIN process p USING (process_key)
             GROUP BY h.process_key, h.endpoint_id, h.held_from_ms, h.held_until_ms
             HAVING count(*) <> 2",
    },
    Rule {
        name: "sightings",
        says: "a sighting begins and ends with snapshots of its stream, and no two of one process overlap",
        broken: "SELECT 'process ' || p.process_id || ' in stream ' || s.stream_id
             FROM (SELECT *, lead(first_ms) OVER (PARTITION BY process_key, stream_id ORDER BY first_ms)
                             AS next_ms
                   FROM sighting) s
             JOIN stream t USING (stream_id)
             LEFT JOIN process p USING (process_key)
             WHERE NOT EXISTS (SELECT 1 FROM snapshot n
                               WHERE n.stream_id = s.stream_id AND n.observed_at_ms = s.first_ms)
                OR NOT EXISTS (SELECT 1 FROM snapshot n WHERE n.stream_id = s.stream_id
                                 AND n.observed_at_ms = coalesce(s.last_ms, t.last_ms))
                OR coalesce(s.last_ms, t.last_ms) < s.first_ms
                OR s.next_ms <= coalesce(s.last_ms, t.last_ms)",
    },
    Rule {
        name: "last_sightings",
        says: "a process was last seen when its latest sighting ended, and is still seen where one is open",
        broken: "SELECT 'process ' || p.process_id FROM process p
             LEFT JOIN (SELECT process_key,
                               CASE WHEN count(*) = count(last_ms) THEN max(last_ms) END AS last_ms
                        FROM sighting GROUP BY process_key) s USING (process_key)
             WHERE s.process_key IS NULL OR s.last_ms IS NOT p.last_seen_ms",
    },
    Rule {
        name: "observations",
        says: "each version was seen at its first and at its last moment",
        broken: "SELECT 'version ' || v.version || ' of process ' || p.process_id
             FROM version v
             JOIN process_seen p USING (process_key)
             WHERE NOT EXISTS (
                       SELECT 1 FROM sighting s JOIN stream t USING (stream_id)
                       JOIN snapshot n ON n.stream_id = s.stream_id AND n.observed_at_ms = v.first_seen_ms
                       WHERE s.process_key = v.process_key AND s.first_ms <= v.first_seen_ms
                         AND coalesce(s.last_ms, t.last_ms) >= v.first_seen_ms)
                OR (v.last_seen_ms IS NOT NULL AND NOT EXISTS (
                       SELECT 1 FROM sighting s JOIN stream t USING (stream_id)
                       JOIN snapshot n ON n.stream_id = s.stream_id AND n.observed_at_ms = v.last_seen_ms
                       WHERE s.process_key = v.process_key AND s.first_ms <= v.last_seen_ms
                         AND coalesce(s.last_ms, t.last_ms) >= v.last_seen_ms))
                OR p.seen_until_ms < v.first_seen_ms",
    },
    Rule {
        name: "streams",
        says: "a stream ends with its latest snapshot",
        broken: "SELECT 'stream ' || t.stream_id || ' of ' || t.source FROM stream t
             WHERE t.last_ms IS NOT (SELECT max(n.observed_at_ms) FROM snapshot n
                                     WHERE n.stream_id = t.stream_id)",
    },
    Rule {
        name: "filters",
        says: "a sync knows which regions and statuses an app's processes were in",
        broken: "SELECT 'version ' || v.version || ' of process ' || p.process_id
             FROM version v
             JOIN process p USING (process_key)
             WHERE NOT EXISTS (SELECT 1 FROM seen_filter f
                               WHERE f.app = v.app AND f.region = v.region AND f.status = v.status)",
    },
    Rule {
        name: "ledger",
        says: "a run counts at least the snapshots that it recorded and what it set aside",
        broken: "SELECT 'run ' || r.run_id || ' of ' || r.source FROM run r
             LEFT JOIN (SELECT run_id, count(*) AS rows FROM snapshot GROUP BY run_id) n USING (run_id)
             WHERE r.snapshots < coalesce(n.rows, 0)
                OR r.set_aside < (SELECT count(*) FROM aside a WHERE a.run_id = r.run_id)
                OR (r.finished_ms IS NULL) <> (r.result = 'unfinished')",
    },
];
