"""Figures of an endpoint, from its attempts."""

from dataclasses import dataclass
from datetime import datetime

from django.db import connection

from webhooks.models import Delivery, DeliveryStatus, Endpoint

HOURS = (24, 168)


@dataclass(frozen=True, slots=True)
class Period:
    """Attempts of the last ``hours``; durations in milliseconds, None without attempts."""

    hours: int
    attempts: int
    delivered: int
    p50_ms: int | None
    p95_ms: int | None


@dataclass(frozen=True, slots=True)
class Backlog:
    """Pending deliveries."""

    pending: int
    oldest_at: datetime | None


def periods(endpoint: Endpoint) -> list[Period]:
    with connection.cursor() as cursor:
        cursor.execute(_PERIODS, {"endpoint": endpoint.pk, "hours": list(HOURS)})
        return [Period(*row) for row in cursor.fetchall()]


_PERIODS = """
SELECT period.hours, a.attempts, a.delivered, a.p50, a.p95
FROM unnest(%(hours)s::int[]) AS period(hours)
CROSS JOIN LATERAL (
    SELECT count(*) AS attempts, count(*) FILTER (WHERE is_delivered) AS delivered,
        percentile_disc(0.5) WITHIN GROUP (ORDER BY duration_ms) AS p50,
        percentile_disc(0.95) WITHIN GROUP (ORDER BY duration_ms) AS p95
    FROM webhooks_attempt
    WHERE endpoint_id = %(endpoint)s
      AND started_at > clock_timestamp() - make_interval(hours => period.hours)
) a
ORDER BY period.hours
"""


def backlog(endpoint: Endpoint) -> Backlog:
    pending = Delivery.objects.filter(endpoint=endpoint, status=DeliveryStatus.PENDING)
    oldest = pending.order_by("id").values_list("created_at", flat=True).first()
    return Backlog(pending.count(), oldest)
