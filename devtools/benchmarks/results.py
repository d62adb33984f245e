"""The raw figures of a run: all rounds, in a file from which every page can be made again."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from devtools.benchmarks.competitors.base import BATCHED, NOOP
from devtools.benchmarks.stats import Spread, percentile, ratios


@dataclass
class Results:
    """``rounds``: by competitor; ``recovery``: by case; ``targets``: by measurement.

    ``troubles`` has the reasons for missing figures.
    """

    about: dict[str, Any] = field(default_factory=dict)
    contenders: dict[str, dict[str, Any]] = field(default_factory=dict)
    rounds: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    recovery_cases: dict[str, dict[str, str]] = field(default_factory=dict)
    recovery: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    targets: dict[str, Any] = field(default_factory=dict)
    troubles: dict[str, str] = field(default_factory=dict)

    def save(self, path: Path) -> None:
        """One line for each part: thousands of lines with one figure are not readable."""
        parts = [f"{json.dumps(k)}: {json.dumps(_rounded(v))}" for k, v in asdict(self).items()]
        path.write_text("{\n" + ",\n".join(parts) + "\n}\n")

    @classmethod
    def load(cls, path: Path) -> "Results":
        return cls(**json.loads(path.read_text()))

    def rates(self, competitor: str, measure: str) -> list[float]:
        """One per round, jobs a second. A competitor without batches uses its single-job rate."""
        rounds = self.rounds.get(competitor, [])
        if measure == BATCHED and not self.has_batches(competitor):
            measure = NOOP
        return [each["rates"][measure] for each in rounds if measure in each["rates"]]

    def has_batches(self, competitor: str) -> bool:
        return any(BATCHED in each["rates"] for each in self.rounds.get(competitor, []))

    def rate_ratio(self, of: str, to: str, measure: str) -> Spread | None:
        """Round by round; None if one of the two was not measured."""
        found = ratios(self.rates(of, measure), self.rates(to, measure))
        return Spread.of(found) if found else None

    def pickups(self, competitor: str) -> list[list[float]]:
        """Milliseconds, by round."""
        rounds = self.rounds.get(competitor, [])
        return [each["pickup_ms"] for each in rounds if each["pickup_ms"]]

    def pickup(self, competitor: str, share: float) -> tuple[float, Spread] | None:
        """A percentile of all rounds together, and the spread of the rounds' percentiles."""
        rounds = self.pickups(competitor)
        if not rounds:
            return None
        together = [value for each in rounds for value in each]
        return percentile(together, share), Spread.of([percentile(x, share) for x in rounds])

    def costs(self, competitor: str, what: str, measure: str) -> list[float]:
        """CPU seconds for 1,000 jobs; ``what`` is the workers' or the server's key."""
        rounds = self.rounds.get(competitor, [])
        if measure == BATCHED and not self.has_batches(competitor):
            measure = NOOP
        return [each[what][measure] for each in rounds if measure in each[what]]

    def memory(self, competitor: str) -> list[float]:
        return [each["memory_mib"] for each in self.rounds.get(competitor, [])]


def _rounded(value: Any) -> Any:
    """To four decimals: more would be noise."""
    if isinstance(value, float):
        return round(value, 4)
    if isinstance(value, dict):
        return {key: _rounded(each) for key, each in value.items()}
    return [_rounded(each) for each in value] if isinstance(value, list) else value


def longest(rounds: Sequence[dict[str, Any]]) -> list[float]:
    """The last restart of a running job in each round of a recovery case; infinite if never."""
    return [
        max(each["restarted"], default=float("inf"))
        if len(each["restarted"]) == each["running"]
        else float("inf")
        for each in rounds
    ]
