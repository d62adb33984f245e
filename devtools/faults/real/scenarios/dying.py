"""F4 to F6: processes that are frozen, die all at once, or lose their database."""

import time

import psutil

from devtools.faults.real import ledgers, recovery
from devtools.faults.real.processes import Process, WaitedInVainError, wait_until
from devtools.faults.real.scenario import Scenario, Trial
from devtools.faults.real.scenarios import network_conditions
from devtools.faults.real.stack import Shape
from jobs.counters import STALE_WRITES_REFUSED

# Longer than the lease: all jobs are taken over by then.
PAST_THE_LEASE_SECONDS = (16.0, 18.0)
LOAD = 100


def stand_still(trial: Trial) -> None:
    """F4: freeze a whole cluster during its calls, or one worker just before its call."""
    before = ledgers.counter(trial.stack, STALE_WRITES_REFUSED)
    ids = _freeze_one_before_its_post(trial) if trial.seed % 2 else _freeze_a_cluster(trial)
    trial.wait_until_created(ids)
    _count_refusals(trial, before)


def _freeze_a_cluster(trial: Trial) -> list[str]:
    network_conditions.slow_creates(trial, 2.0)
    ids = trial.create_many(6)
    wait_until(lambda: _busy_cluster(trial), seconds=10, what="for creates that were sent")
    cluster, held = _busy_cluster(trial) or (trial.stack.worker, {})
    since = time.monotonic()
    cluster.freeze()
    trial.clear_faults()
    try:
        trial.follow(held, since=since)
        _sleep_until(since + trial.random.uniform(*PAST_THE_LEASE_SECONDS))
    finally:
        cluster.thaw()
    return ids


def _freeze_one_before_its_post(trial: Trial) -> list[str]:
    """It has written its intent to send; others find the intent and prove that nothing was sent."""
    point = trial.stack.crash_points / "create.after_intent"
    point.write_text("freeze")
    ids = trial.create_many(2)
    wait_until(lambda: not point.exists(), seconds=10, what="for a worker to stop")
    since = time.monotonic()
    _sleep_until(since + trial.random.uniform(*PAST_THE_LEASE_SECONDS))
    for process in _stopped(trial):
        process.resume()
    return ids


def _busy_cluster(trial: Trial) -> "tuple[Process, dict[int, int]] | None":
    """A cluster that waits for the answers of creates, with the jobs that it holds."""
    sent = ledgers.rows(
        trial.stack,
        "SELECT j.id, j.lease_token, j.worker FROM jobs_job j"
        " JOIN instances_instance i ON i.public_id = j.subject"
        " WHERE j.status = 'processing' AND j.type = 'create_instance' AND i.create_step = 'post'",
    )
    for cluster in trial.stack.clusters:
        pids = {process.pid for process in cluster.family()}
        held = {job: token for job, token, worker in sent if recovery.pid_of(worker) in pids}
        if len(held) >= 2:
            return cluster, held
    return None


def _stopped(trial: Trial) -> list[psutil.Process]:
    everybody = [process for cluster in trial.stack.clusters for process in cluster.family()]
    return [each for each in everybody if each.status() == psutil.STATUS_STOPPED]


def _count_refusals(trial: Trial, before: int) -> None:
    """Thawed processes must have tried to write and been refused: else the run proves nothing."""

    def refused() -> int:
        return ledgers.counter(trial.stack, STALE_WRITES_REFUSED) - before

    try:
        wait_until(refused, seconds=15)
    except WaitedInVainError:
        trial.object("I5: no stale write was refused: none was tried, or the fence does not work")
    trial.note("stale writes refused", refused())


def die_all_at_once(trial: Trial) -> None:
    """F5: kill -9 of every process under load, then a start."""
    load = trial.load(LOAD, callers=4)
    time.sleep(trial.random.uniform(0.3, 2.5))
    everybody = [*trial.stack.webs, *trial.stack.clusters]
    trial.kill(everybody, restart_after=trial.random.uniform(0, 1))
    ids = load.result()
    trial.wait_until_created(ids, seconds=90)


def lose_the_database(trial: Trial) -> None:
    """F6: immediate shutdown of Postgres under load, and a start some seconds later."""
    server = trial.stack.own_server
    assert server is not None  # noqa: S101 - the scenario asks for one
    load = trial.load(40, callers=4)
    time.sleep(trial.random.uniform(0.3, 1.5))
    server.shut_down_immediately()
    trial.outcome.deaths += 1
    time.sleep(trial.random.choice((1.0, 2.0, 4.0, 7.0, 10.0)))
    server.start()
    started = time.monotonic()
    fresh = trial.create()
    trial.wait_until_created([fresh], seconds=30)
    seconds = time.monotonic() - started
    trial.outcome.recovered_seconds.append(seconds)
    trial.wait_until_created(load.result(), seconds=90)


def _sleep_until(moment: float) -> None:
    time.sleep(max(0.0, moment - time.monotonic()))


SCENARIOS = (
    Scenario(
        "F4",
        "a worker is frozen past its lease, then goes on",
        stand_still,
        runs=6,
        shape=Shape(clusters=2),
    ),
    Scenario(
        "F5",
        "kill -9 of every process under load",
        die_all_at_once,
        runs=10,
        recovery_target_seconds=15.0,
    ),
    Scenario(
        "F6",
        "immediate shutdown of Postgres under load",
        lose_the_database,
        runs=6,
        has_own_server=True,
        recovery_target_seconds=5.0,
    ),
)
