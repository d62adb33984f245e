"""Turns between projects that wait for calls of one class. Pure: JSON of the limiter's row.

A project that was refused has a place in the queue: the calls that it needs, until when it is
expected back, and when it was last served. The others leave these calls to it if it was served
longer ago than they. So the project that was served longest ago is always the next, however many
creates another one sends. A place whose project does not come back expires: a dead worker holds
nobody up.
"""

from datetime import datetime, timedelta
from typing import TypedDict

# A project that waits is expected back this long after the time it was told, at the latest.
LATE = timedelta(seconds=5)
# How long it is remembered, while others wait, that a project was served.
REMEMBERED = timedelta(minutes=1)
# After this time without a call, the watch goes before ends.
PATIENCE = timedelta(seconds=2)


class Place(TypedDict):
    """Times in milliseconds since 1970; ``until`` and ``wants`` are 0 if it does not wait."""

    served: int
    since: int
    until: int
    wants: int


Queue = dict[str, Place]


def ahead(queue: Queue, who: str, now: datetime) -> int:
    """Calls to be left to projects that wait and were served longer ago.

    ``who``: empty for a caller that takes no turns; it leaves nothing.
    """
    if not who:
        return 0
    own = _order(queue.get(who), now)
    waiting = _waiting(queue, who, now)
    return sum(place["wants"] for place in waiting if _order(place, now) < own)


def wanted_by_others(queue: Queue, who: str, now: datetime) -> int:
    """Calls that all other projects wait for; 0 for a caller that takes no turns."""
    if not who:
        return 0
    return sum(place["wants"] for place in _waiting(queue, who, now))


def overdue(queue: Queue, now: datetime) -> int:
    """Calls for which somebody waits since PATIENCE."""
    since = _ms(now - PATIENCE)
    waiting = [each for each in queue.values() if _is_waiting(each, now)]
    return sum(place["wants"] for place in waiting if place["since"] <= since)


def refuse(queue: Queue, who: str, now: datetime, *, wants: int, wait: timedelta) -> None:
    """Give the project a place, or keep its place."""
    _forget_old(queue, now)
    old = queue.get(who)
    since = old["since"] if old is not None and _is_waiting(old, now) else _ms(now)
    served = 0 if old is None else old["served"]
    queue[who] = Place(served=served, since=since, until=_ms(now + wait + LATE), wants=wants)


def serve(queue: Queue, who: str, now: datetime) -> None:
    """The project goes to the end of the queue; without others that wait, there is no queue."""
    if not _waiting(queue, who, now):
        queue.clear()
        return
    _forget_old(queue, now)
    queue[who] = Place(served=_ms(now), since=0, until=0, wants=0)


def _waiting(queue: Queue, who: str, now: datetime) -> list[Place]:
    return [each for name, each in queue.items() if name != who and _is_waiting(each, now)]


def _is_waiting(place: Place, now: datetime) -> bool:
    return place["until"] > _ms(now)


def _order(place: Place | None, now: datetime) -> tuple[int, int]:
    """Projects that were not served lately first, by the time since when they wait."""
    if place is None:
        return 0, _ms(now)
    return place["served"], place["since"] if _is_waiting(place, now) else _ms(now)


def _forget_old(queue: Queue, now: datetime) -> None:
    oldest = _ms(now - REMEMBERED)
    for name in [
        name
        for name, each in queue.items()
        if not _is_waiting(each, now) and each["served"] < oldest
    ]:
        del queue[name]


def _ms(at: datetime) -> int:
    return int(at.timestamp() * 1000)
