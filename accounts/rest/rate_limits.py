"""How many requests a key may make, counted over all processes.

A bucket as large as a minute's requests fills evenly. It is kept in one row a key (the moment at
which it will be full again, so nothing has to refill it), and each process borrows a hundredth of
it at a time: a request mostly spends what its process already holds, without asking the database.
What was borrowed and not spent is lost after some seconds, so a key may get a little less than its
limit while it changes between many processes, and never more.
"""

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from django.db import connection

from accounts.models import SpentRate

WINDOW_SECONDS = 60
_MICROSECONDS = 1_000_000
_WINDOW = WINDOW_SECONDS * _MICROSECONDS
# Of a limit, as one loan to a process; so many at most.
_SHARE = 100
_MOST_AT_ONCE = 50
_LOAN_SECONDS = 5.0

# EXCLUDED.full_at is now and all that is asked for; what fits is granted.
_BORROW = """
    INSERT INTO accounts_spentrate AS spent (api_key_id, full_at, granted)
    SELECT %(key)s, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint + %(all)s, %(n)s
    ON CONFLICT (api_key_id) DO UPDATE SET
        full_at = GREATEST(spent.full_at, EXCLUDED.full_at - %(all)s)
            + %(step)s * GREATEST(0, LEAST(
            %(n)s,
            (%(window)s + LEAST(0, EXCLUDED.full_at - %(all)s - spent.full_at)) / %(step)s
        )),
        granted = GREATEST(0, LEAST(
            %(n)s,
            (%(window)s + LEAST(0, EXCLUDED.full_at - %(all)s - spent.full_at)) / %(step)s
        ))
    RETURNING granted, full_at - (extract(epoch FROM clock_timestamp()) * 1000000)::bigint
"""


@dataclass(frozen=True, slots=True)
class Verdict:
    """``remaining`` requests may come at once; in ``full_in`` seconds all of ``limit`` may. A
    refused one is worth trying again after ``retry_after`` seconds, at least 1.
    """

    is_allowed: bool
    limit: int
    remaining: int
    full_in: int
    retry_after: int = 0


@dataclass(slots=True)
class _Purse:
    """What this process holds of a key's allowance; ``rest`` is what the bucket held beside it."""

    tokens: int = 0
    rest: int = 0
    full_at: float = 0.0
    lapses_at: float = 0.0
    blocked_until: float = 0.0


_purses: dict[int, _Purse] = {}
_lock = threading.Lock()


def spend(api_key_id: int, limit: int, *, clock: Callable[[], float] = time.monotonic) -> Verdict:
    """Count one request of a key that may make ``limit`` a minute (at least 1)."""
    now = clock()
    with _lock:
        purse = _purses.setdefault(api_key_id, _Purse())
        if purse.lapses_at <= now:
            purse.tokens = 0
        if purse.tokens > 0:
            purse.tokens -= 1
            return _verdict(purse, limit, now)
        if now < purse.blocked_until:
            return _verdict(purse, limit, now, is_allowed=False)
    return _borrow(purse, api_key_id, limit, now)


def _borrow(purse: _Purse, api_key_id: int, limit: int, now: float) -> Verdict:
    """Outside of the lock: other keys' requests do not wait for this query."""
    step = max(_WINDOW // limit, 1)
    wanted = max(1, min(limit // _SHARE, _MOST_AT_ONCE))
    granted, until_full = _ask(api_key_id, wanted, step)
    with _lock:
        purse.full_at = now + until_full / _MICROSECONDS
        purse.rest = max((_WINDOW - until_full) // step, 0)
        if not granted:
            purse.blocked_until = now + (until_full + step - _WINDOW) / _MICROSECONDS
            return _verdict(purse, limit, now, is_allowed=False)
        purse.tokens += granted - 1
        purse.lapses_at = now + _LOAN_SECONDS
        return _verdict(purse, limit, now)


def _ask(api_key_id: int, wanted: int, step: int) -> tuple[int, int]:
    """How many were granted, and in how many microseconds the bucket will be full."""
    values = {"key": api_key_id, "n": wanted, "step": step}
    values |= {"all": wanted * step, "window": _WINDOW}
    with connection.cursor() as cursor:
        cursor.execute(_BORROW, values)
        granted, until_full = cursor.fetchone()
    return int(granted), max(int(until_full), 0)


def _verdict(purse: _Purse, limit: int, now: float, *, is_allowed: bool = True) -> Verdict:
    return Verdict(
        is_allowed,
        limit,
        remaining=min(purse.tokens + purse.rest, limit) if is_allowed else 0,
        full_in=math.ceil(max(purse.full_at - now, 0.0)),
        retry_after=0 if is_allowed else max(1, math.ceil(purse.blocked_until - now)),
    )


def forget_old() -> int:
    """Delete rows of keys whose bucket has long been full; how many."""
    hour_ago = (time.time_ns() // 1000) - 3600 * _MICROSECONDS
    count, _ = SpentRate.objects.filter(full_at__lt=hour_ago).delete()
    return count


def forget() -> None:
    """As a new process: for tests."""
    with _lock:
        _purses.clear()
