"""How long starts take, from those that happened."""

from datetime import timedelta
from statistics import median

from instances.models import Instance

SAMPLE = 100
DEFAULT_START = timedelta(minutes=5)


def median_start(product_name: str) -> timedelta:
    """Median time from request to ready of the product's last 100 starts; 5 minutes before any."""
    times = (
        Instance.objects.filter(
            product_name=product_name, ready_at__isnull=False, posted_at__isnull=False
        )
        .order_by("-ready_at")
        .values_list("created_at", "ready_at")[:SAMPLE]
    )
    seconds = [(ready - created).total_seconds() for created, ready in times if ready]
    return timedelta(seconds=median(seconds)) if seconds else DEFAULT_START
