"""When a key was last used, to the minute and at the price of one small write a minute."""

import time
from datetime import timedelta

from django.db.models import Q
from django.db.models.functions import Now

from accounts.models import ApiKey

PRECISION = timedelta(minutes=1)
# When this process last wrote for each key, in time.monotonic(). Bounded by the number of keys.
_noted: dict[int, float] = {}


def note(api_key: ApiKey) -> None:
    """Say that the key is in use; mostly this remembers that it has been said."""
    now = time.monotonic()
    if now - _noted.get(api_key.pk, float("-inf")) < PRECISION.total_seconds():
        return
    _noted[api_key.pk] = now
    is_old = Q(last_used_at=None) | Q(last_used_at__lt=Now() - PRECISION)
    ApiKey.objects.filter(is_old, pk=api_key.pk).update(last_used_at=Now())


def forget() -> None:
    """As a new process: for tests."""
    _noted.clear()
