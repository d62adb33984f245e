"""When to look again: on a grid common to all, so that many instances share one listing."""

from datetime import UTC, datetime, timedelta

from django.conf import settings

_EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


def next_look(now: datetime) -> datetime:
    """The next multiple of the poll interval, after ``now``."""
    interval = timedelta(seconds=settings.CONFIG.instance_poll_interval)
    return _EPOCH + ((now - _EPOCH) // interval + 1) * interval
