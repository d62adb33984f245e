"""Estimates how long an instance takes to start, from past starts."""

import hashlib
from datetime import timedelta
from statistics import median

from django.core.cache import caches

from instances.models import Instance

SAMPLE = 100
DEFAULT_START = timedelta(minutes=5)
KEPT_SECONDS = 30


def median_start(product_name: str) -> timedelta:
    """Median time from request to ready of the product's last 100 starts; 5 minutes without any.

    Cached for 30 seconds in each process.
    """
    key = f"start-{hashlib.sha256(product_name.encode('utf-8', 'replace')).hexdigest()}"
    known: timedelta | None = caches["local"].get(key)
    if known is None:
        known = _measured(product_name)
        caches["local"].set(key, known, KEPT_SECONDS)
    return known


def _measured(product_name: str) -> timedelta:
    times = (
        Instance.objects.filter(
            product_name=product_name, ready_at__isnull=False, posted_at__isnull=False
        )
        .order_by("-ready_at")
        .values_list("created_at", "ready_at")[:SAMPLE]
    )
    seconds = [(ready - created).total_seconds() for created, ready in times if ready]
    return timedelta(seconds=median(seconds)) if seconds else DEFAULT_START
