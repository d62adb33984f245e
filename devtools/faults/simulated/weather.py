"""What befalls a call on its way to Novita and back, chosen from the seed."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

# Whether the call acts, and what the caller learns of it.
KINDS = (
    "refused",  # no connection: nothing was sent
    "reset",  # sent and broken off before it acted
    "stale",  # a kept connection that the server had closed
    "lost",  # acted, and the answer broken off
    "timeout",  # no answer within the deadline, and it did not act
    "slow",  # acted, and no answer within the deadline
    "late",  # no answer within the deadline, and it acts only after that
    "500",
    "502",
    "503",
    "500 done",  # acted, and answered 5xx all the same
    "502 done",
    "429",
    "429 patient",  # with a Retry-After
    "403",
    "garbage",  # acted, and answered what is no JSON
    "empty",  # acted, and answered nothing
    "broken",  # acted, and answered what is no HTTP
)
# A create that was sent may act so much later; with the list's lag and the time that a frozen
# worker takes, less than the service allows for before it calls a create disproved.
LATEST_SECONDS = 10.0


@dataclass(slots=True)
class Weather:
    """Fair, or a storm of some kinds of faults; ``outages``: spans in which nothing gets through.

    ``share`` of the reads and ``harsh`` of the writes are struck while it lasts.
    """

    random: Random
    share: float = 0.0
    harsh: float = 0.0
    kinds: tuple[str, ...] = KINDS
    outages: list[tuple[int, int, str]] = field(default_factory=list)
    ends_ms: int | None = None

    def strikes(self, path: str, now_ms: int, *, is_write: bool) -> str:
        """The kind of fault for a call; empty for none."""
        if self.ends_ms is not None and now_ms >= self.ends_ms:
            return ""
        for begins_ms, ends_ms, kind in self.outages:
            if begins_ms <= now_ms < ends_ms:
                return kind
        if self.random.random() >= (self.harsh if is_write else self.share):
            return ""
        return self.random.choice(self.kinds)

    def latency_seconds(self) -> float:
        return self.random.choice((0.02, 0.05, 0.1, 0.4))


def storm(random: Random, begins_ms: int, ends_ms: int) -> Weather:
    """As severe and as varied as the seed says: some storms are of one kind only."""
    kinds = tuple(random.sample(KINDS, random.choice((1, 2, 4, len(KINDS)))))
    weather = Weather(
        random,
        share=random.choice((0.0, 0.02, 0.1, 0.3)),
        harsh=random.choice((0.0, 0.1, 0.3, 0.6)),
        kinds=kinds,
        ends_ms=ends_ms,
    )
    for _ in range(random.choice((0, 0, 0, 1, 2))):
        start_ms = random.randrange(begins_ms, ends_ms)
        length_ms = random.choice((5_000, 20_000, 60_000, 300_000))
        kind = random.choice(("refused", "timeout", "503", "reset"))
        weather.outages.append((start_ms, start_ms + length_ms, kind))
    return weather
