"""The size of a run: the full one, and a quick one for tests."""

from collections.abc import Mapping
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Plan:
    """Numbers of jobs are per round; each competitor scales its drains to its speed."""

    rounds: int = 5
    drain_scale: float = 1.0
    enqueue_one: int = 500
    enqueue_bulk: int = 5_000
    paced_jobs: int = 200
    paced_per_second: float = 25.0
    recovery_rounds: int = 3
    recovery_jobs: int = 300
    recovery_patience: float = 90.0
    claim_finished: int = 1_000_000
    claim_future: int = 100_000
    claim_due: int = 50_000
    claim_paused: int = 100_000
    claims: int = 200
    claims_under_xmin: int = 300
    flood_items: int = 3_000
    flood_seconds: float = 14.0
    talk_items: int = 1_000
    talk_rounds: int = 3
    once_jobs: int = 100_000
    once_clusters: int = 4
    api_rounds: int = 5
    api_seconds: int = 6


QUICK = Plan(
    rounds=1,
    drain_scale=0.25,
    enqueue_one=100,
    enqueue_bulk=1_000,
    paced_jobs=50,
    recovery_rounds=1,
    recovery_jobs=150,
    recovery_patience=45.0,
    claim_finished=100_000,
    claim_future=10_000,
    claim_due=10_000,
    claim_paused=20_000,
    claims=30,
    claims_under_xmin=50,
    flood_items=1_000,
    flood_seconds=6.0,
    talk_items=400,
    talk_rounds=1,
    once_jobs=10_000,
    api_rounds=1,
    api_seconds=3,
)


def plan_from(environ: Mapping[str, str]) -> Plan:
    """QUICK=1 for the short run, ROUNDS=n for another number of rounds. Raises ValueError."""
    plan = QUICK if environ.get("QUICK", "0") not in ("", "0") else Plan()
    rounds = environ.get("ROUNDS")
    if not rounds:
        return plan
    if not rounds.isdigit() or int(rounds) < 1:
        raise ValueError(f"ROUNDS is {rounds}; it must be a whole number from 1.")
    return replace(plan, rounds=int(rounds))
