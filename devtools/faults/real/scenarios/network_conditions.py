"""Bad network conditions at Novita; a scenario chooses them by its seed."""

from typing import Any

from devtools.faults.real.scenario import Trial

CREATE = "/gpu/instance/create$"
DELETE = "/gpu/instance/delete$"
# Longer than the client waits (NOVITA_TIMEOUT of stacks is 3 s).
HANG_SECONDS = 8.0

# Ways to lose an answer: the client sees different errors, but knows equally little.
LOSSES: tuple[dict[str, Any], ...] = (
    {"effect": "status", "status": 500},
    {"effect": "status", "status": 502, "answer": "<html>Bad gateway</html>"},
    {"effect": "reset"},
    {"effect": "close"},
    {"effect": "hang", "hang_seconds": HANG_SECONDS},
)


def lose_creates(trial: Trial, *, when: str, share: float = 1.0, **limits: Any) -> None:
    """Lose the answers of this run's creates, ``before`` or ``after`` they take effect."""
    loss = trial.random.choice(LOSSES)
    whose = {"method": "POST", "path": CREATE, "body": trial.tag}
    trial.add_fault(**loss, **whose, when=when, probability=share, seed=trial.seed, **limits)


def slow_creates(trial: Trial, seconds: float) -> None:
    """Slow creates, so that a death finds some sent, some being sent and some not yet."""
    trial.add_fault(
        when="after", method="POST", path=CREATE, body=trial.tag, latency_seconds=seconds
    )


def change(trial: Trial) -> None:
    """Random conditions: fair, slow, or creates lost before or after they take effect."""
    kind = trial.random.choice(("fair", "slow", "after", "before"))
    if kind == "slow":
        slow_creates(trial, trial.random.uniform(0.2, 0.7))
    elif kind in ("after", "before"):
        lose_creates(trial, when=kind, share=0.4)
