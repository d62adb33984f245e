"""Faults of a call on its way to Novita and back, chosen from the seed."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

# Whether the call takes effect, and what the caller sees.
KINDS = (
    "refused",  # no connection: nothing was sent
    "reset",  # sent, connection reset before it took effect
    "stale",  # a kept connection that the server had closed
    "lost",  # took effect, connection reset before the answer
    "timeout",  # no answer within the deadline, no effect
    "slow",  # took effect, no answer within the deadline
    "late",  # no answer within the deadline, takes effect only after it
    "500",
    "502",
    "503",
    "500 done",  # took effect, but answered 5xx
    "502 done",
    "429",
    "429 patient",  # with a Retry-After
    "403",
    "garbage",  # took effect, answer is not JSON
    "empty",  # took effect, answer is empty
    "broken",  # took effect, answer is not HTTP
)
# Longest delay of a create that was sent. With the list's lag and the time of a frozen worker, it
# is less than the time after which the service takes a create as disproved.
LATEST_SECONDS = 10.0


@dataclass(slots=True)
class NetworkConditions:
    """No faults, or a storm of some kinds of faults; ``outages``: periods in which all calls fail.

    While it lasts, the share ``share`` of reads and ``harsh`` of writes fail.
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


def storm(random: Random, begins_ms: int, ends_ms: int) -> NetworkConditions:
    """A storm of random strength and kinds; some storms have only one kind."""
    kinds = tuple(random.sample(KINDS, random.choice((1, 2, 4, len(KINDS)))))
    conditions = NetworkConditions(
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
        conditions.outages.append((start_ms, start_ms + length_ms, kind))
    return conditions
