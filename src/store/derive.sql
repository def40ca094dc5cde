-- Works out from the rows what migration V6 has triggers keep; everything of it is empty before.

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

INSERT INTO version_count SELECT count(*) FROM version;
