"""Runs a scenario with several seeds on one stack, then ends everything and checks the rest."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from devtools.faults.real import ledgers
from devtools.faults.real.processes import WaitedInVainError, wait_until
from devtools.faults.real.scenario import Outcome, Scenario, Trial, insist
from devtools.faults.real.stack import Stack
from devtools.simulator.control import InstanceTruth

# Novita charges for whole seconds: a cost that does not change for longer has stopped.
COST_INTERVAL_SECONDS = 1.5
ENDING_SECONDS = 90.0

Say = Callable[[str], None]


def play(
    scenario: Scenario, stack: Stack, seeds: Sequence[int], *, say: Say = lambda text: None
) -> list[Outcome]:
    """One outcome for each seed. A violation that fits no seed counts for the last one."""
    prepare(stack)
    outcomes = []
    for seed in seeds:
        outcomes.append(play_once(scenario, stack, seed))
        put_right(stack)
        say(f"{scenario.fault} seed {seed}: {_summary(outcomes[-1])}")
    attribute(ledgers.await_consistency(stack, seconds=scenario.grace_seconds), outcomes)
    attribute(end_everything(stack, seconds=scenario.ending_seconds), outcomes)
    return outcomes


def play_once(scenario: Scenario, stack: Stack, seed: int) -> Outcome:
    trial = Trial(stack, scenario.fault, seed)
    if scenario.play is not None:
        try:
            scenario.play(trial)
        except WaitedInVainError as error:
            trial.object(f"I2: {error}")
        finally:
            trial.clear_faults()
    return trial.outcome


def play_together(
    parts: Sequence[tuple[Scenario, Sequence[int]]], stack: Stack, *, grace_seconds: float = 60.0
) -> list[Outcome]:
    """Run several scenarios at once on one stack, each with its seeds in turn: a quick selection.

    Instances that still live are not ended; the scenarios about endings end their own.
    """
    prepare(stack)

    def play_in_turn(part: tuple[Scenario, Sequence[int]]) -> list[Outcome]:
        return [play_once(part[0], stack, seed) for seed in part[1]]

    with ThreadPoolExecutor(len(parts)) as pool:
        outcomes = [each for some in pool.map(play_in_turn, parts) for each in some]
    put_right(stack)
    attribute(ledgers.await_consistency(stack, seconds=grace_seconds), outcomes)
    return outcomes


def prepare(stack: Stack) -> None:
    """Provide more stock than any run needs, so that no create fails for lack of GPUs alone."""
    stack.simulator.control.set_stock(free=100_000)


def put_right(stack: Stack) -> None:
    """Remove the faults of a run; its work in progress goes on."""
    control = stack.simulator.control
    control.clear_faults()
    control.clear_stock()
    control.end_blindness()
    prepare(stack)
    control.settings(
        list_lag_seconds=0.0,
        delete_ignored=False,
        rate_limit_per_minute=0,
        not_found_status=400,
        refused_key=None,
        account_refusal=None,
    )
    stack.receiver.control.forget_behaviours()
    for order in stack.crash_points.iterdir():
        order.unlink(missing_ok=True)
    for proxy in (stack.database_proxy, stack.upstream_proxy):
        if proxy is not None:
            proxy.heal()


def end_everything(stack: Stack, *, seconds: float = ENDING_SECONDS) -> list[str]:
    """DELETE every instance; afterwards none may live, cost money or be promised still."""
    for row in ledgers.ledger_of(stack).instances:
        if row["status"] != "terminated":
            insist(stack, "DELETE", f"/api/instances/{row['public_id']}")
    found = _until_all_are_terminated(stack, seconds)
    alive = [each for each in _ours(stack) if each.is_alive]
    found += [f"I1: {each.name} {each.id} lives ({each.status}) after its end" for each in alive]
    found += ledgers.await_consistency(stack, seconds=10)
    return found + _cost_after_the_end(stack)


def _until_all_are_terminated(stack: Stack, seconds: float) -> list[str]:
    def left() -> list[str]:
        return [
            f"I2: {row['name']} is {row['status']} {seconds:.0f} s after its DELETE"
            for row in ledgers.ledger_of(stack).instances
            if row["status"] != "terminated"
        ]

    try:
        wait_until(lambda: not left(), seconds=seconds)
    except WaitedInVainError:
        return left()
    return []


def _cost_after_the_end(stack: Stack) -> list[str]:
    before = _cost(stack)
    time.sleep(COST_INTERVAL_SECONDS)
    grown = _cost(stack) - before
    return [f"I6: {grown / 1e5:.5f} USD were charged after everything had ended"] if grown else []


def _cost(stack: Stack) -> int:
    return sum(each.cost_e5_usd for each in _ours(stack))


def _ours(stack: Stack) -> list[InstanceTruth]:
    """Instances with this installation's signature."""
    signer = ledgers.ledger_of(stack).signer
    made = stack.simulator.control.ledger().instances
    return [each for each in made if signer is not None and signer.reference_in(each.name)]


def attribute(violations: Sequence[str], outcomes: Sequence[Outcome]) -> None:
    """Assign each violation to the run whose instances it names, else to the last run."""
    for text in violations:
        owner = next(
            (each for each in outcomes if f"{each.fault.lower()}-{each.seed}-" in text),
            outcomes[-1],
        )
        owner.violations.append(text)


def _summary(outcome: Outcome) -> str:
    if outcome.violations:
        return "; ".join(outcome.violations)
    slowest = max(outcome.recovered_seconds, default=0.0)
    return f"{outcome.instances} instances, {outcome.deaths} deaths, recovered in {slowest:.1f} s"
