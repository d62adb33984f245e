"""Times of observations: multiples of the poll interval, so that many instances share one list."""

from datetime import UTC, datetime, timedelta

from django.conf import settings

_EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


def next_observation(now: datetime, *, pause: timedelta = timedelta(0)) -> datetime:
    """Next multiple of the poll interval after ``now``, later if ``pause`` is longer than it."""
    interval = timedelta(seconds=settings.CONFIG.instance_poll_interval)
    earliest = now + max(pause - interval, timedelta(0))
    return _EPOCH + ((earliest - _EPOCH) // interval + 1) * interval
