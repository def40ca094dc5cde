-- Works out from the rows where there are processes; `place` and `placed` are empty before.

INSERT INTO place
SELECT app, region, deployment, count(*), sum(outcome = 'lost'), min(created_ms), max(created_ms),
       min(first_seen_ms)
FROM process GROUP BY 1, 2, 3;
INSERT INTO placed (process_key) SELECT coalesce(max(process_key), 0) FROM process;
