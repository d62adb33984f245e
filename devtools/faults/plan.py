"""The selection of a run: ONLY, SEED, RUNS and QUICK in the environment."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

SIMULATED = "SIM"
SIMULATED_RUNS = 1000
QUICK_SHARE = 8
QUICK_SIMULATED_RUNS = 60


@dataclass(frozen=True, slots=True)
class Plan:
    """``only``: the faults to run, all if empty; ``seed``: only this one."""

    only: tuple[str, ...] = ()
    seed: int | None = None
    runs: int | None = None
    is_quick: bool = False

    @property
    def is_full(self) -> bool:
        """Only such a run may write the page."""
        return self == Plan()

    def wants(self, fault: str) -> bool:
        return not self.only or fault in self.only

    def seeds(self, fault: str, runs: int) -> Sequence[int]:
        """The seeds to run. ``runs``: their number in a full run."""
        if self.seed is not None:
            return [self.seed]
        if self.runs is not None:
            return range(self.runs)
        if self.is_quick:
            is_simulated = fault == SIMULATED
            return range(QUICK_SIMULATED_RUNS if is_simulated else max(1, runs // QUICK_SHARE))
        return range(runs)


def plan_from(environ: Mapping[str, str], known: Sequence[str]) -> Plan:
    """Raises ValueError for an invalid number and for an unknown fault."""
    only = tuple(word.upper() for word in environ.get("ONLY", "").replace(",", " ").split())
    strange = [word for word in only if word not in known]
    if strange:
        raise ValueError(f"ONLY names {', '.join(strange)}; there are {', '.join(known)}.")
    return Plan(
        only,
        _number(environ, "SEED"),
        _number(environ, "RUNS"),
        environ.get("QUICK", "") not in ("", "0"),
    )


def _number(environ: Mapping[str, str], name: str) -> int | None:
    text = environ.get(name, "")
    if text and not text.isdigit():
        raise ValueError(f"{name} is {text}; it must be a number.")
    return int(text) if text else None
