"""F7 and F8: a bad line to Postgres, and a Postgres that refuses statements."""

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import requests

from devtools.faults.real.processes import wait_until
from devtools.faults.real.proxy import Proxy
from devtools.faults.real.scenario import Scenario, Trial
from devtools.faults.real.stack import Shape

BATCH = 10
ROUND_TRIP_SECONDS = 0.2
BLACKOUT_SECONDS = 10.0
# A web request may wait for a lost server (10 s) and then for its own answer.
LONGEST_CALL_SECONDS = 25.0

# SQLSTATE (errcodes-appendix): serialization_failure, deadlock_detected, query_canceled as by
# statement_timeout, lock_not_available as by lock_timeout.
CODES = ("40001", "40P01", "57014", "55P03")
_TABLES = (
    *("instances_instance", "instances_instanceevent", "jobs_job"),
    *("webhooks_message", "webhooks_delivery", "webhooks_attempt"),
)
_INSTALL = """
CREATE TABLE IF NOT EXISTS faults_plan (share float8, code text);
CREATE OR REPLACE FUNCTION faults_strike() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE plan faults_plan;
BEGIN
    SELECT * INTO plan FROM faults_plan LIMIT 1;
    IF FOUND AND random() < plan.share THEN
        RAISE EXCEPTION 'injected' USING ERRCODE = plan.code;
    END IF;
    RETURN NULL;
END $$;
"""
_TRIGGER = """
CREATE OR REPLACE TRIGGER faults_strike AFTER INSERT OR UPDATE ON {}
FOR EACH STATEMENT EXECUTE FUNCTION faults_strike()
"""


def have_a_bad_line(trial: Trial) -> None:
    """F7: 200 ms for each round trip, resets, half-closes, or ten seconds of blackout."""
    proxy = trial.stack.database_proxy
    assert proxy is not None  # noqa: S101 - the scenario asks for one
    kind = ("latency", "resets", "half-closes", "blackout")[trial.seed % 4]
    if kind == "latency":
        proxy.set_latency(ROUND_TRIP_SECONDS / 2)
    load = trial.load(5 if kind == "latency" else BATCH, callers=3)
    time.sleep(trial.random.uniform(0.1, 0.8))
    if kind == "blackout":
        _black_out(trial, proxy)
    elif kind != "latency":
        for _ in range(5):
            cut = proxy.reset() if kind == "resets" else proxy.half_close()
            trial.note("connections cut", cut)
            time.sleep(trial.random.uniform(0.2, 1.0))
    ids = load.result()
    if kind == "latency":
        trial.wait_until_created(ids, seconds=90)
        proxy.heal()
    _works_again(trial)
    trial.wait_until_created(ids, seconds=60)


def _black_out(trial: Trial, proxy: Proxy) -> None:
    """A request during the blackout must get an answer in limited time, even a refusal."""
    proxy.black_out(BLACKOUT_SECONDS)
    begun = time.monotonic()
    with suppress(requests.RequestException):
        trial.stack.call("GET", "/api/instances")
    seconds = time.monotonic() - begun
    trial.outcome.figures["longest call, s"] = round(seconds, 1)
    trial.expect(seconds < LONGEST_CALL_SECONDS, f"F7: a request hung for {seconds:.0f} s")
    time.sleep(max(0.0, begun + BLACKOUT_SECONDS - time.monotonic()))


def _works_again(trial: Trial) -> None:
    begun = time.monotonic()
    trial.wait_until_created([trial.create()], seconds=30)
    trial.outcome.recovered_seconds.append(time.monotonic() - begun)


def be_refused(trial: Trial) -> None:
    """F8: statements fail as they do under contention; their jobs are tried again."""
    code = CODES[trial.seed % len(CODES)]
    with trial.stack.connect() as database:
        database.execute(_INSTALL)
        for table in _TABLES:
            database.execute(_TRIGGER.format(table))
        share = trial.random.uniform(0.05, 0.3)
        database.execute("INSERT INTO faults_plan VALUES (%s, %s)", [share, code])
        try:
            load = trial.load(BATCH, callers=3)
            if trial.seed % 2:
                _hold_locks(trial)
            ids = load.result()
            # With a quarter of statements failing, not all work succeeds at once.
            time.sleep(3)
        finally:
            database.execute("DELETE FROM faults_plan")
    trial.wait_until_created(ids, seconds=60)


def _hold_locks(trial: Trial) -> None:
    """A session in the way: it locks instances in another order, for two seconds."""

    def hold() -> None:
        with trial.stack.connect() as database, database.transaction():
            database.execute("SELECT id FROM instances_instance ORDER BY id DESC FOR UPDATE")
            time.sleep(2)

    with ThreadPoolExecutor(1) as pool:
        wait_until(lambda: trial.made() or trial.outcome.instances, seconds=5)
        pool.submit(hold).result()


SCENARIOS = (
    Scenario(
        "F7",
        "a bad connection to Postgres: latency, resets, half-closes, blackout",
        have_a_bad_line,
        runs=8,
        shape=Shape(has_database_proxy=True),
    ),
    Scenario(
        "F8",
        "serialization failures, deadlocks, timeouts of statements and locks",
        be_refused,
        runs=12,
    ),
)
