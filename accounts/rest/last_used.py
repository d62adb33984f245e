"""The time of a key's last use, precise to one minute: one small write a minute and process."""

import time
from datetime import timedelta

from django.db.models import Q
from django.db.models.functions import Now

from accounts.models import ApiKey

PRECISION = timedelta(minutes=1)
# time.monotonic() of this process's last write for each key. Bounded by the number of keys.
_noted: dict[int, float] = {}


def note(api_key: ApiKey) -> None:
    """Store that the key is in use now, unless this process did so within PRECISION."""
    now = time.monotonic()
    if now - _noted.get(api_key.pk, float("-inf")) < PRECISION.total_seconds():
        return
    _noted[api_key.pk] = now
    is_old = Q(last_used_at=None) | Q(last_used_at__lt=Now() - PRECISION)
    ApiKey.objects.filter(is_old, pk=api_key.pk).update(last_used_at=Now())


def forget() -> None:
    """Reset the state of this process; for tests."""
    _noted.clear()
