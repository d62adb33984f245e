"""F16: receivers of webhooks that fail or are hostile, while workers die."""

from collections.abc import Sequence
from typing import Any

import psutil

from devtools.faults.real.processes import wait_until
from devtools.faults.real.scenario import Scenario, Trial

INSTANCES = 40
KILLS = 3
HOSTILE_EACH = 5
# As the page promises.
MOST_GROWTH_MB = 20.0
_HOSTILE: dict[str, dict[str, Any]] = {
    "/hang": {"hang_seconds": 30},
    "/drip": {"slow_loris_seconds": 0.05},
    "/huge": {"huge_body_bytes": 50_000_000},
    "/heads": {"headers": {f"X-{number}": "h" * 4000 for number in range(90)}},
    "/elsewhere": {"redirect_to": "/elsewhere"},
}


def fail_to_receive(trial: Trial) -> None:
    """F16: the ledgers at the end of the run tell whether all arrived, in order and once each."""
    if trial.seed % 2:
        _be_hostile(trial)
    else:
        _be_unreliable(trial)


def _be_unreliable(trial: Trial) -> None:
    receiver = trial.stack.receiver.control
    receiver.behave("/hook", status=503, every=2)
    making = trial.load(INSTANCES, callers=8)
    for _ in range(KILLS):
        _wait_for_deliveries(trial, 10)
        trial.kill(trial.stack.clusters)
    ids = making.result()
    receiver.behave("/hook", reset=True, times=30)
    trial.wait_until_all(ids, "running", seconds=90)
    trial.end(ids)
    trial.wait_until_all(ids, "terminated", seconds=90)
    trial.note("deliveries", len(receiver.deliveries("/hook")))
    receiver.forget_behaviours()


def _wait_for_deliveries(trial: Trial, more: int) -> None:
    receiver = trial.stack.receiver.control
    before = len(receiver.deliveries("/hook"))
    wait_until(lambda: len(receiver.deliveries("/hook")) >= before + more)


def _be_hostile(trial: Trial) -> None:
    receiver = trial.stack.receiver.control
    for path, behaviour in _HOSTILE.items():
        receiver.behave(path, **behaviour)
    quiet = trial.create_many(HOSTILE_EACH)
    trial.wait_until_all(quiet, "running")
    before = _memory_mb(trial)
    ids = [
        trial.create(webhookUrl=receiver.url(path))
        for path in _HOSTILE
        for _ in range(HOSTILE_EACH)
    ]
    trial.wait_until_all(ids, "running", seconds=90)
    trial.end(ids)
    highest: list[float] = []

    def has_ended() -> bool:
        highest.append(_growth(before, _memory_mb(trial)))
        return set(trial.statuses(ids).values()) <= {"terminated"}

    wait_until(has_ended, seconds=120)
    growth = max(highest)
    trial.note("MB that a worker grew by", round(growth, 1))
    trial.expect(growth <= MOST_GROWTH_MB, f"F16: a worker process grew by {growth:.0f} MB")
    trial.end(quiet)
    receiver.forget_behaviours()


def _memory_mb(trial: Trial) -> dict[int, float]:
    """Resident memory of each process of the clusters, by pid."""
    found: dict[int, float] = {}
    for cluster in trial.stack.clusters:
        if cluster.child is None:
            continue
        for process in _family(cluster.child.pid):
            found[process.pid] = process.memory_info().rss / 1e6
    return found


def _family(pid: int) -> Sequence[psutil.Process]:
    leader = psutil.Process(pid)
    return [leader, *leader.children(recursive=True)]


def _growth(before: dict[int, float], after: dict[int, float]) -> float:
    return max((after[pid] - mb for pid, mb in before.items() if pid in after), default=0.0)


SCENARIOS = (
    Scenario(
        "F16",
        "receivers fail or are hostile, and workers die",
        fail_to_receive,
        runs=4,
        environment={
            "WEBHOOK_RETRY_DELAYS": "0.2,0.5,0.5,1,1,1,2,2,3,3,5,5",
            "WEBHOOK_TIMEOUT": "3",
        },
    ),
)
