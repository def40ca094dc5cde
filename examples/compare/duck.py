"""The standing questions in DuckDB. Loads the rows, then answers a question for each line that it reads.

Each answer is one line of JSON: how long the query took, from the call until its rows are here, and
the rows, under the names that prochist gives them.
"""

import datetime
import json
import sys
import time

import duckdb

LOAD = """
CREATE TABLE processes AS SELECT * FROM read_csv('{folder}/processes.csv', header = true, columns = {{
    'process_id': 'VARCHAR', 'app_id': 'VARCHAR', 'deployment_id': 'BIGINT', 'region': 'VARCHAR',
    'outcome': 'VARCHAR', 'created_ms': 'BIGINT', 'started_ms': 'BIGINT', 'stopping_ms': 'BIGINT',
    'terminated_ms': 'BIGINT', 'ended_ms': 'BIGINT'}});
CREATE TABLE holds AS SELECT * FROM read_csv('{folder}/holds.csv', header = true, columns = {{
    'host': 'VARCHAR', 'port': 'BIGINT', 'transport': 'VARCHAR', 'process_id': 'VARCHAR',
    'held_from_ms': 'BIGINT', 'held_until_ms': 'BIGINT'}});
CHECKPOINT;
"""

PHASES = {
    "provisioning": "started_ms - created_ms",
    "serving": "coalesce(stopping_ms, terminated_ms) - started_ms",
    "stopping": "terminated_ms - stopping_ms",
    "lifetime": "terminated_ms - created_ms",
}


def lifetimes_query():
    lengths = ", ".join(
        f"CASE WHEN {length} >= 0 THEN {length} END AS {phase}" for phase, length in PHASES.items()
    )
    numbers = ", ".join(
        f"count({phase}), avg({phase}), quantile_cont({phase}, [0.5, 0.9, 0.99]), max({phase})"
        for phase in PHASES
    )
    return f"""
        SELECT region, deployment_id, {numbers}
        FROM (SELECT region, deployment_id, {lengths} FROM processes)
        GROUP BY region, deployment_id"""


def lifetimes_rows(rows):
    for region, deployment_id, *numbers in rows:
        for place, phase in enumerate(PHASES):
            n, mean, quantiles, longest = numbers[4 * place : 4 * place + 4]
            p50, p90, p99 = quantiles or [None] * 3
            yield {
                "region": region,
                "deployment_id": deployment_id,
                "phase": phase,
                "n": n,
                "mean_ms": mean,
                "p50_ms": p50,
                "p90_ms": p90,
                "p99_ms": p99,
                "max_ms": longest,
            }


FAILURES = """
    SELECT coalesce(ended_ms, created_ms) // 86400000 AS day, region,
           count(*) FILTER (outcome IN ('stopped', 'failed')) AS ended,
           count(*) FILTER (outcome = 'failed') AS failed,
           count(*) FILTER (outcome = 'failed' AND started_ms IS NULL) AS failed_before_start,
           count(*) FILTER (outcome = 'open') AS open,
           failed / nullif(ended, 0) AS rate
    FROM processes
    GROUP BY 1, 2"""


def failures_rows(rows):
    for day, region, ended, failed, failed_before_start, still_open, rate in rows:
        yield {
            "day": moment(day * 86_400_000)[:10],
            "region": region,
            "ended": ended,
            "failed": failed,
            "failed_before_start": failed_before_start,
            "open": still_open,
            "rate": rate,
        }


# A hold without an end goes on. None is of no length, ends before it begins, or has an end that is not
# known: the comparison of the answers would show it.
PORTS = """
    SELECT host, count(*) AS holds,
           count(*) FILTER (gap >= 0) AS reuses,
           count(*) FILTER (gap < 0) AS overlaps,
           min(gap) FILTER (gap >= 0),
           quantile_cont(gap, [0.1, 0.5, 0.9]) FILTER (gap >= 0),
           max(gap) FILTER (gap >= 0)
    FROM (SELECT host, held_from_ms - lag(coalesce(held_until_ms, 9000000000000000)) OVER endpoint AS gap
          FROM holds
          WINDOW endpoint AS (PARTITION BY host, port, transport ORDER BY held_from_ms, process_id))
    GROUP BY host"""


def ports_rows(rows):
    for host, holds, reuses, overlaps, shortest, quantiles, longest in rows:
        p10, median, p90 = quantiles or [None] * 3
        yield {
            "host": host,
            "holds": holds,
            "reuses": reuses,
            "overlaps": overlaps,
            "min_gap_ms": shortest,
            "p10_gap_ms": p10,
            "median_gap_ms": median,
            "p90_gap_ms": p90,
            "max_gap_ms": longest,
        }


CONCURRENCY = """
    WITH runs AS (
        SELECT started_ms AS from_ms,
               CASE WHEN outcome = 'open' THEN terminated_ms
                    ELSE coalesce(terminated_ms, stopping_ms) END AS until_ms
        FROM processes WHERE started_ms IS NOT NULL),
    edges AS (
        SELECT from_ms AS at_ms, 1 AS step FROM runs
        UNION ALL
        SELECT until_ms, -1 FROM runs WHERE until_ms IS NOT NULL),
    moments AS (SELECT at_ms, sum(step) AS step FROM edges GROUP BY at_ms),
    levels AS (SELECT at_ms, sum(step) OVER (ORDER BY at_ms) AS running FROM moments)
    SELECT at_ms, running FROM levels ORDER BY running DESC, at_ms LIMIT 1"""


def concurrency_rows(rows):
    for at_ms, running in rows:
        yield {"at": moment(at_ms), "running": int(running)}


def moment(millis):
    seconds, rest = divmod(millis, 1000)
    time_utc = datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)
    return f"{time_utc:%Y-%m-%dT%H:%M:%S}.{rest:03}Z"


QUESTIONS = {
    "lifetimes": (lifetimes_query(), lifetimes_rows),
    "failures": (FAILURES, failures_rows),
    "ports": (PORTS, ports_rows),
    "concurrency": (CONCURRENCY, concurrency_rows),
}


def main():
    database, folder = sys.argv[1:]
    db = duckdb.connect(database)
    db.execute("PRAGMA threads=2")
    db.execute("PRAGMA enable_progress_bar=false")
    db.execute(LOAD.format(folder=folder.replace("'", "''")))
    print(json.dumps({"version": duckdb.__version__}), flush=True)
    for line in sys.stdin:
        query, named = QUESTIONS[line.strip()]
        begun = time.perf_counter()
        rows = db.execute(query).fetchall()
        wall_ms = (time.perf_counter() - begun) * 1e3
        print(json.dumps({"wall_ms": wall_ms, "rows": list(named(rows))}), flush=True)


main()
