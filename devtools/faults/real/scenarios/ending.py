"""F12 to F14: instances that never run, do not end, or belong to others."""

import time
from datetime import datetime
from typing import Any

from devtools.faults.real import ledgers
from devtools.faults.real.processes import wait_until
from devtools.faults.real.scenario import Scenario, Trial
from devtools.faults.real.scenarios import network_conditions
from devtools.faults.real.stack import Stack
from devtools.simulator.control import InstanceTruth
from instances.novita.name_signing import NameSigner

# Shortest time between two observations that prove absence (design: absence).
BETWEEN_OBSERVATIONS_SECONDS = 10.0
# The simulated start of these stacks: long enough to interfere with it.
START_SECONDS = "3"
START_TIMEOUT_SECONDS = 9.0
# For a start that Novita no longer shows: ABSENCE_AFTER, or the deadline plus two minutes of grace.
GONE_SECONDS = 170
REFUSALS: dict[str, dict[str, Any]] = {
    "404": {"effect": "status", "status": 404, "reason": "RESOURCE_NOT_FOUND"},
    "500": {"effect": "status", "status": 500},
    "lost": {"effect": "reset"},
}


def never_run(trial: Trial) -> None:
    """F12: stuck in pulling, an error, gone, and one that runs after it was given up."""
    fates = ["pulling", "error", "vanish", "late"]
    trial.random.shuffle(fates)
    ids = dict(zip(fates, trial.create_many(len(fates)), strict=True))
    made = {fate: _made_for(trial, each) for fate, each in ids.items()}
    trial.control.order(made["pulling"].id, "stick", status="pulling")
    trial.control.order(made["late"].id, "stick", status="pulling")
    trial.control.order(made["error"].id, "fail", status="exited", message="image not found")
    trial.control.order(made["vanish"].id, "vanish")
    others = [each for fate, each in ids.items() if fate != "vanish"]
    trial.wait_until_all(others, "failed", seconds=START_TIMEOUT_SECONDS + 25)
    # An instance that is not seen fails only at its deadline plus the grace for unseen ones.
    trial.stack.wait_for(ids["vanish"], "failed", "terminated", seconds=GONE_SECONDS)
    _run_late(trial, made["late"])
    for fate, each in ids.items():
        details = trial.stack.get(each)
        reason = details.get("error") or details.get("statusReason")
        trial.expect(bool(reason), f"I2: {fate} ended without a reason: {details}")
        trial.note(reason["code"] if reason else "no reason", 1)


def _run_late(trial: Trial, made: InstanceTruth) -> None:
    """It starts to run after it was given up, unless it was ended before that."""
    if any(each.id == made.id and each.is_alive for each in trial.control.ledger().instances):
        trial.control.order(made.id, "run")


def _made_for(trial: Trial, instance_id: str) -> InstanceTruth:
    return wait_until(lambda: trial.stack.truths(instance_id), seconds=20, what="for a GPU")[0]


def end_in_vain(trial: Trial) -> None:
    """F13: delete answers 404, 500, nothing, or 200 while the GPU goes on running."""
    ids = trial.create_many(4)
    trial.wait_until_all(ids, "running")
    kind = ("404", "500", "lost", "ignored")[trial.seed % 4]
    if kind == "ignored":
        trial.control.settings(delete_ignored=True)
    else:
        trial.add_fault(method="POST", path=network_conditions.DELETE, **REFUSALS[kind])
    point = trial.random.choice(("", "terminate.before_delete", "terminate.before_commit"))
    if point:
        trial.arm(point)
    trial.end(ids)
    if point:
        trial.expect(trial.await_death(point), f"no process reached {point}")
    time.sleep(trial.random.uniform(3, 6))
    words = set(trial.statuses(ids).values())
    trial.expect(words == {"terminating"}, f"I2: {kind}: reported as {words} while the GPU runs")
    trial.clear_faults()
    trial.control.settings(delete_ignored=False)
    trial.wait_until_all(ids, "terminated", seconds=90)
    _ended_before_it_was_said(trial, ids)


def _ended_before_it_was_said(trial: Trial, ids: list[str]) -> None:
    """The end was told after it happened, by two observations; all clocks are this machine's."""
    gone = {each.id: each.removed_ms for each in trial.control.ledger().instances}
    said = ledgers.rows(
        trial.stack,
        "SELECT i.upstream_id, e.occurred_at FROM instances_instance i"
        " JOIN instances_instanceevent e ON e.instance_id = i.id"
        " WHERE i.public_id = ANY(%s) AND e.type = 'instance.terminated'",
        ids,
    )
    trial.expect(len(said) == len(ids), f"I3: {len(said)} of {len(ids)} endings were told")
    for upstream_id, moment in said:
        removed = gone[upstream_id]
        after = _seconds(moment) - (removed or 0) / 1000
        is_proven = removed is not None and after >= BETWEEN_OBSERVATIONS_SECONDS - 0.5
        trial.expect(is_proven, f"I1: {upstream_id} was called terminated {after:.1f} s after")


def _seconds(moment: datetime) -> float:
    return moment.timestamp()


def live_among_strangers(trial: Trial) -> None:
    """F14: GPUs of others with our prefix, our installation's id, or another valid signature."""
    strangers = _strangers(trial)
    network_conditions.lose_creates(trial, when="after", share=0.5)
    ids = trial.create_many(4)
    trial.wait_until_created(ids)
    trial.end(ids[:2])
    _pass_by(trial.stack)
    trial.wait_until_all(ids[:2], "terminated", seconds=60)
    alive = {each.id for each in trial.control.ledger().instances if each.is_alive}
    for stranger in strangers:
        trial.expect(stranger.id in alive, f"F14: {stranger.name} of another owner was terminated")
    held = ledgers.ledger_of(trial.stack).held()
    for stranger in strangers:
        trial.expect(stranger.id not in held, f"F14: {stranger.name} was adopted")
    trial.note("strangers left alone", len(strangers))


def _strangers(trial: Trial) -> list[InstanceTruth]:
    signer = ledgers.ledger_of(trial.stack).signer
    own = signer or NameSigner("00000000", "00" * 32)
    other = NameSigner("feedbeef", "ab" * 32)
    reference = f"{trial.random.getrandbits(80):020x}"
    forged = f"{trial.tag}x-{own.installation_id}-{reference}-{'0' * 10}"
    names = (f"{trial.tag}1", f"{trial.tag}2-copy", other.name(f"{trial.tag}3", reference), forged)
    return [trial.control.make_instance(name) for name in names]


def _pass_by(stack: Stack) -> None:
    """Wait for two passes of the reconciler that began after this moment."""
    count = "SELECT count(*) FROM instances_reconcilerun"
    before = ledgers.rows(stack, count)[0][0]
    wait_until(lambda: ledgers.rows(stack, count)[0][0] >= before + 3, seconds=60)


SCENARIOS = (
    Scenario(
        "F12",
        "stuck in pulling, an error, gone, running after it had failed",
        never_run,
        runs=6,
        environment={
            "INSTANCE_START_TIMEOUT": f"{START_TIMEOUT_SECONDS}",
            "SIMULATED_START": START_SECONDS,
            "RECONCILE_INTERVAL": "2",
            "ABSENCE_AFTER": "60",
        },
    ),
    Scenario(
        "F13",
        "delete answers 404, 500, nothing, or 200 and keeps running",
        end_in_vain,
        runs=8,
        environment={"RECONCILE_INTERVAL": "2"},
    ),
    Scenario(
        "F14",
        "instances of others in the account, some signed by another installation",
        live_among_strangers,
        runs=4,
        environment={"RECONCILE_INTERVAL": "2"},
    ),
)
