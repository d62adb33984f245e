"""F17, F19, F21: a wrong clock, an orderly stop, a job that kills its worker."""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests

from devtools.faults.real import ledgers, skew
from devtools.faults.real.caller import RefusedError
from devtools.faults.real.poison.ways import WAYS
from devtools.faults.real.processes import Process, wait_until
from devtools.faults.real.scenario import Scenario, Trial

HOUR_SECONDS = 3600
POISON_ATTEMPTS = 3
NEIGHBOURS = 8
_ADD_POISON = """
INSERT INTO jobs_job
    (public_id, type, subject, payload, max_attempts, error, errors, worker, request_id)
VALUES (%s, 'poison', '', jsonb_build_object('way', %s::text, 'step', %s::text), %s, '', '[]',
    '', '')
RETURNING id
"""
_TRIED_AGAIN = (
    "SELECT count(*) FROM jobs_job"
    " WHERE (attempts > 1 OR is_suspect) AND type <> 'deliver_webhooks'"
)


def have_a_wrong_clock(trial: Trial) -> None:
    """F17: a cluster an hour ahead or behind, alone or beside one with the right clock."""
    off = trial.random.choice((HOUR_SECONDS, -HOUR_SECONDS))
    path = str(Path(skew.__file__).parent)
    wrong = trial.stack.another_worker(PYTHONPATH=path, CLOCK_OFF_SECONDS=str(off))
    is_alone = trial.seed % 2 == 0
    with running(wrong):
        if is_alone:
            trial.stack.worker.stop()
        ids = trial.create_many(6)
        trial.wait_until_all(ids, "running", seconds=40)
        trial.end(ids[:3])
        trial.wait_until_all(ids[:3], "terminated", seconds=60)
        lapsed = ledgers.counter(trial.stack, "leases_lapsed")
        trial.expect(not lapsed, f"F17: {lapsed} leases lapsed although nobody died")
        if is_alone:
            trial.stack.worker.start()
            wait_until(trial.stack.is_ready, seconds=30)
    trial.note("alone" if is_alone else "beside a right one", 1)


def stop_in_order(trial: Trial) -> None:
    """F19: SIGTERM to one process after the other, under load."""
    before = ledgers.rows(trial.stack, _TRIED_AGAIN)[0][0]
    with demanding(trial) as ids:
        second = trial.stack.another_worker()
        time.sleep(trial.random.uniform(0.2, 1.0))
        with running(second):
            time.sleep(trial.random.uniform(1.0, 2.0))
            trial.expect(trial.stack.worker.stop() == 0, "F19: the first cluster ended badly")
            trial.stack.worker.start()
            time.sleep(trial.random.uniform(1.0, 2.0))
        _reload(trial.stack.web)
        time.sleep(2.0)
    trial.note("requests", len(ids))
    trial.wait_until_created(ids, seconds=30)
    tried = ledgers.rows(trial.stack, _TRIED_AGAIN)[0][0] - before
    trial.expect(tried <= 0, f"F19: {tried} jobs had an attempt counted")


def _reload(web: Process) -> None:
    """The web server's reload: a new process first, then the old one finishes its requests."""
    assert web.child is not None  # noqa: S101 - it runs
    web.child.send_signal(signal.SIGHUP)


@contextmanager
def demanding(trial: Trial) -> Iterator[list[str]]:
    """A caller that sends requests without retries; yields the accepted instances."""
    is_over = threading.Event()
    ids: list[str] = []

    def ask() -> None:
        while not is_over.is_set():
            try:
                ids.append(trial.create_once())
                trial.stack.get(ids[-1])
            except (requests.RequestException, RefusedError) as error:
                trial.object(f"F19: a request failed: {error}")
            is_over.wait(0.15)

    caller = threading.Thread(target=ask, daemon=True)
    caller.start()
    try:
        yield ids
    finally:
        is_over.set()
        caller.join()


def take_poison(trial: Trial) -> None:
    """F21: a job kills each worker that runs it; it fails alone, and the queue goes on."""
    way = sorted(WAYS)[trial.seed % len(WAYS)]
    step = trial.random.choice(("load", "call"))
    name = f"job_{trial.tag}{trial.random.getrandbits(64):x}"
    early = trial.create_many(NEIGHBOURS // 2)
    ((job,),) = ledgers.rows(trial.stack, _ADD_POISON, name, way, step, POISON_ATTEMPTS)
    late = trial.create_many(NEIGHBOURS // 2)
    trial.wait_until_all([*early, *late], "running", seconds=60)

    def has_failed() -> bool:
        rows = ledgers.rows(trial.stack, "SELECT status FROM jobs_job WHERE id = %s", job)
        return rows == [("failed",)]

    wait_until(has_failed, seconds=90, what="for the poison to be isolated")
    trial.outcome.deaths += POISON_ATTEMPTS
    others = ledgers.rows(
        trial.stack, "SELECT type, error FROM jobs_job WHERE status = 'failed' AND type <> 'poison'"
    )
    trial.expect(not others, f"F21: failed because they ran beside it: {others}")


@contextmanager
def running(process: Process) -> Iterator[None]:
    process.start()
    try:
        yield
    finally:
        process.stop()


SCENARIOS = (
    Scenario(
        "F17",
        "a worker's clock off by an hour",
        have_a_wrong_clock,
        runs=4,
        environment={"INSTANCE_START_TIMEOUT": "60", "RECONCILE_INTERVAL": "5"},
    ),
    Scenario("F19", "SIGTERM under load, a rolling restart", stop_in_order, runs=5),
    Scenario(
        "F21",
        "a poison job that kills its worker",
        take_poison,
        runs=4,
        environment={"DJANGO_SETTINGS_MODULE": "devtools.faults.real.poison.settings"},
    ),
)
