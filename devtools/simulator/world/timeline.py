"""Timelines: the status of an instance at any time, as a pure function of its list of phases.

A phase holds until the next one begins. The future is stored when an action is accepted, so no
thread has to wake up for a change of status, and a restart loses nothing. Each phase has its own
charge rate and number of held GPUs: later changes of price or size never change the past.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import NamedTuple

DAY_MS = 86_400_000

HOLDING = frozenset(
    {"pending", "toCreate", "creating", "pulling", "running"}
    | {"toStart", "starting", "toStop", "stopping", "toRestart", "restarting"}
    | {"toReset", "resetting", "migrating", "toRemove", "removing"}
)
"""Statuses that hold GPUs (removal holds them only if they were held before)."""

CHARGED = frozenset(
    {"pulling", "running", "toStop", "stopping"}
    | {"toRestart", "restarting", "toReset", "resetting"}
)
"""Statuses with a charge for GPUs: from the pull of the image until the stop is complete."""

GONE = "gone"
"""Not a word of the service: the instance is no longer found."""

REMOVAL = ("toRemove", "removing", "removed", GONE)


class Phase(NamedTuple):
    """One part of a timeline; the rate is in 1/100,000 USD a day for the whole instance."""

    at_ms: int
    status: str
    rate_e5_day: int
    held: int


Timeline = list[Phase]


def phase_at(timeline: Timeline, now_ms: int) -> Phase:
    """The phase at that time; before the first one, the first one."""
    index = bisect_right(timeline, now_ms, key=lambda phase: phase.at_ms)
    return timeline[max(0, index - 1)]


def next_change_ms(timeline: Timeline, now_ms: int) -> int | None:
    index = bisect_right(timeline, now_ms, key=lambda phase: phase.at_ms)
    return timeline[index].at_ms if index < len(timeline) else None


def cut(timeline: Timeline, now_ms: int) -> Timeline:
    """Only the phases that have begun, without the future."""
    return timeline[: bisect_right(timeline, now_ms, key=lambda phase: phase.at_ms)]


def spans(timeline: Timeline, until_ms: int) -> list[tuple[Phase, int, int]]:
    """Each phase that has begun, with its start and its end (or `until_ms`)."""
    begun = cut(timeline, until_ms)
    ends = [*(phase.at_ms for phase in begun), until_ms][1:]
    return [(phase, phase.at_ms, end) for phase, end in zip(begun, ends, strict=True)]


def cost_scaled(timeline: Timeline, since_ms: int, until_ms: int) -> int:
    """Exact charges between two times in 1/100,000 USD times DAY_MS; divide when showing."""
    return sum(
        phase.rate_e5_day * max(0, end - max(start, since_ms))
        for phase, start, end in spans(timeline, until_ms)
    )


def charged_ms(timeline: Timeline, until_ms: int) -> int:
    """The time for which the GPUs were billed."""
    return sum(end - start for phase, start, end in spans(timeline, until_ms) if is_charged(phase))


def is_charged(phase: Phase) -> bool:
    return phase.status in CHARGED


def last_entered_ms(timeline: Timeline, status: str, now_ms: int) -> int | None:
    """The time of the last entry into the status; None if never."""
    entered = [phase.at_ms for phase in cut(timeline, now_ms) if phase.status == status]
    return entered[-1] if entered else None


def first_entered_ms(timeline: Timeline, status: str, now_ms: int) -> int | None:
    entered = (phase.at_ms for phase in cut(timeline, now_ms) if phase.status == status)
    return next(entered, None)
