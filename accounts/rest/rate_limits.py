"""Rate limits of API keys, counted over all processes.

A token bucket with the size of one minute's requests, refilled evenly. One row per key stores the
time at which the bucket will be full again (so no refilling is needed). Each process borrows 1/100
of the limit at a time, so most requests spend a borrowed token without a database query. Borrowed
tokens that are not spent expire after _LOAN_SECONDS: a key whose requests go to many processes may
get slightly less than its limit, and never more.
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
# A process borrows limit / _SHARE tokens at a time, at most _MOST_AT_ONCE.
_SHARE = 100
_MOST_AT_ONCE = 50
_LOAN_SECONDS = 5.0

# EXCLUDED.full_at is now + all requested tokens; as many as fit into the bucket are granted.
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
    """The decision about one request. ``remaining``: requests that are allowed at once now;
    ``full_in``: seconds until the full ``limit`` is allowed; ``retry_after``: seconds until a
    refused request may be repeated, at least 1.
    """

    is_allowed: bool
    limit: int
    remaining: int
    full_in: int
    retry_after: int = 0


@dataclass(slots=True)
class _Bucket:
    """Tokens of a key that this process has borrowed; ``rest``: tokens left in the bucket then."""

    tokens: int = 0
    rest: int = 0
    full_at: float = 0.0
    lapses_at: float = 0.0
    blocked_until: float = 0.0


_buckets: dict[int, _Bucket] = {}
_lock = threading.Lock()


def spend(api_key_id: int, limit: int, *, clock: Callable[[], float] = time.monotonic) -> Verdict:
    """Count one request of a key that may make ``limit`` a minute (at least 1)."""
    now = clock()
    with _lock:
        bucket = _buckets.setdefault(api_key_id, _Bucket())
        if bucket.lapses_at <= now:
            bucket.tokens = 0
        if bucket.tokens > 0:
            bucket.tokens -= 1
            return _verdict(bucket, limit, now)
        if now < bucket.blocked_until:
            return _verdict(bucket, limit, now, is_allowed=False)
    return _borrow(bucket, api_key_id, limit, now)


def _borrow(bucket: _Bucket, api_key_id: int, limit: int, now: float) -> Verdict:
    """Borrow tokens from the bucket. The query runs outside of the lock, so that requests of other
    keys do not wait for it.
    """
    step = max(_WINDOW // limit, 1)
    wanted = max(1, min(limit // _SHARE, _MOST_AT_ONCE))
    granted, until_full = _ask(api_key_id, wanted, step)
    with _lock:
        bucket.full_at = now + until_full / _MICROSECONDS
        bucket.rest = max((_WINDOW - until_full) // step, 0)
        if not granted:
            bucket.blocked_until = now + (until_full + step - _WINDOW) / _MICROSECONDS
            return _verdict(bucket, limit, now, is_allowed=False)
        bucket.tokens += granted - 1
        bucket.lapses_at = now + _LOAN_SECONDS
        return _verdict(bucket, limit, now)


def _ask(api_key_id: int, wanted: int, step: int) -> tuple[int, int]:
    """The number of granted tokens, and the microseconds until the bucket is full."""
    values = {"key": api_key_id, "n": wanted, "step": step}
    values |= {"all": wanted * step, "window": _WINDOW}
    with connection.cursor() as cursor:
        cursor.execute(_BORROW, values)
        granted, until_full = cursor.fetchone()
    return int(granted), max(int(until_full), 0)


def _verdict(bucket: _Bucket, limit: int, now: float, *, is_allowed: bool = True) -> Verdict:
    return Verdict(
        is_allowed,
        limit,
        remaining=min(bucket.tokens + bucket.rest, limit) if is_allowed else 0,
        full_in=math.ceil(max(bucket.full_at - now, 0.0)),
        retry_after=0 if is_allowed else max(1, math.ceil(bucket.blocked_until - now)),
    )


def forget_old() -> int:
    """Delete rows of buckets that have been full for an hour; returns their number."""
    hour_ago = (time.time_ns() // 1000) - 3600 * _MICROSECONDS
    count, _ = SpentRate.objects.filter(full_at__lt=hour_ago).delete()
    return count


def forget() -> None:
    """Reset the state of this process; for tests."""
    with _lock:
        _buckets.clear()
