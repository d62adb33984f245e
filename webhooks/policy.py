"""When a message is sent again, and which messages are skipped. Pure functions of settings."""

import random
from collections.abc import Sequence
from datetime import timedelta

from django.conf import settings

JITTER = 0.2
# Retry-After is honoured up to twice the planned delay, and up to a minute in any case.
RETRY_AFTER_FACTOR = 2
RETRY_AFTER_MINIMUM = timedelta(minutes=1)


def delays() -> Sequence[float]:
    """Seconds before each retry (WEBHOOK_RETRY_DELAYS)."""
    configured: Sequence[float] = settings.CONFIG.webhook_retry_delays
    return configured


def next_delay(tries: int, retry_after: float | None = None) -> timedelta | None:
    """Delay after the given number of failed tries; None if it was the last one.

    retry_after: what the receiver asked for, in seconds.
    """
    if tries > len(delays()):
        return None
    chance = random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 - no secret
    planned = timedelta(seconds=delays()[tries - 1]) * chance
    longest = max(planned * RETRY_AFTER_FACTOR, RETRY_AFTER_MINIMUM)
    return min(max(planned, timedelta(seconds=retry_after or 0)), longest)


def total_time() -> timedelta:
    """Time from the first attempt to the last, without jitter."""
    return timedelta(seconds=sum(delays()))


def latest_after() -> timedelta:
    """Age from which an endpoint with BacklogPolicy.LATEST skips superseded messages."""
    return timedelta(seconds=settings.CONFIG.webhook_latest_after)
