"""Lanes: the order of deliveries, and the one live job of each lane.

A lane is (endpoint, subject, is_replay). Whoever adds a pending delivery enqueues the lane's job in
the same transaction, before it locks any delivery; the job ends only when it sees none pending.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Self

from django.db import connection
from django.db.models import Case, Exists, F, OuterRef, QuerySet, Value, When
from django.db.models.functions import Concat

from jobs import queue
from jobs.models import Job, JobPriority
from webhooks.models import Delivery, DeliveryStatus, Endpoint

JOB_TYPE = "deliver_webhooks"


@dataclass(frozen=True, slots=True)
class Lane:
    """Named by the endpoint's public id, which is known before its row is written."""

    endpoint: str
    subject: str
    is_replay: bool = False

    @classmethod
    def of(cls, delivery: Delivery) -> Self:
        return cls(delivery.endpoint.public_id, delivery.subject, delivery.is_replay)

    @classmethod
    def of_job(cls, job: Job) -> Self | None:
        """None if the payload does not name a lane."""
        payload = job.payload if isinstance(job.payload, dict) else {}
        endpoint, subject = payload.get("endpointId"), payload.get("subject")
        if not isinstance(endpoint, str) or not isinstance(subject, str):
            return None
        return cls(endpoint, subject, payload.get("isReplay") is True)

    @property
    def dedupe_key(self) -> str:
        kind = "replay" if self.is_replay else "lane"
        return f"{kind}:{self.endpoint}:{self.subject}"

    def pending(self) -> QuerySet[Delivery]:
        """Its pending deliveries, in order."""
        return Delivery.objects.filter(
            endpoint__public_id=self.endpoint,
            subject=self.subject,
            is_replay=self.is_replay,
            status=DeliveryStatus.PENDING,
        ).order_by("message_id")


def first_pending(lanes: Sequence[Lane], limit: int) -> dict[Lane, list[Delivery]]:
    """Up to ``limit`` pending deliveries of each lane, in order, in one query for all lanes."""
    rows = Delivery.objects.select_related("message", "endpoint", "endpoint__project").filter(
        pk__in=_first_ids(lanes, limit)
    )
    found: dict[Lane, list[Delivery]] = {}
    for row in rows.order_by("message_id"):
        found.setdefault(Lane.of(row), []).append(row)
    return found


def still_pending(lanes: Sequence[Lane]) -> set[Lane]:
    """Those of these lanes that have pending deliveries."""
    rows = Delivery.objects.filter(pk__in=_first_ids(lanes, 1))
    found = rows.values_list("endpoint__public_id", "subject", "is_replay")
    return {Lane(*row) for row in found}


def _first_ids(lanes: Sequence[Lane], limit: int) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(_FIRST_PENDING, _columns(lanes, limit))
        return [row[0] for row in cursor.fetchall()]


_FIRST_PENDING = """
SELECT first.id
FROM unnest(%(endpoints)s::text[], %(subjects)s::text[], %(replays)s::bool[])
    AS lane(endpoint, subject, is_replay)
JOIN webhooks_endpoint endpoint ON endpoint.public_id = lane.endpoint
CROSS JOIN LATERAL (
    SELECT id FROM webhooks_delivery d
    WHERE d.status = 'pending' AND d.endpoint_id = endpoint.id AND d.subject = lane.subject
      AND d.is_replay = lane.is_replay
    ORDER BY d.message_id LIMIT %(limit)s
) first
"""


def _columns(lanes: Sequence[Lane], limit: int) -> dict[str, Any]:
    return {
        "endpoints": [lane.endpoint for lane in lanes],
        "subjects": [lane.subject for lane in lanes],
        "replays": [lane.is_replay for lane in lanes],
        "limit": limit,
    }


def enqueue(
    endpoint: Endpoint,
    subject: str,
    *,
    is_replay: bool = False,
    priority: int | None = None,
    request_id: str = "",
) -> Job:
    """The lane's job, due now; a live one is kept, and runs once more if it is processing."""
    lane = Lane(endpoint.public_id, subject, is_replay)
    return queue.enqueue(**_job(lane, endpoint, priority, request_id))


def lock(chosen: Sequence[Lane]) -> None:
    """Lock the jobs of lanes that are enqueued next, in the order in which workers lock them."""
    queue.lock_live([lane.dedupe_key for lane in chosen])


def lock_subject(subject: str) -> None:
    """Lock the live jobs of all lanes of a subject, in the order in which workers lock them."""
    jobs = Job.objects.live().filter(subject=subject, type=JOB_TYPE).order_by("id")
    list(jobs.select_for_update().values_list("id", flat=True))


def new_job(endpoint: Endpoint, subject: str, *, request_id: str) -> Job:
    """Unsaved job of a lane that cannot exist yet, since its subject is new."""
    return queue.new_job(**_job(Lane(endpoint.public_id, subject), endpoint, None, request_id))


def _job(lane: Lane, endpoint: Endpoint, priority: int | None, request_id: str) -> dict[str, Any]:
    default = JobPriority.LOW if lane.is_replay else JobPriority.NORMAL
    return {
        "type_": JOB_TYPE,
        "payload": {
            "endpointId": lane.endpoint,
            "subject": lane.subject,
            "isReplay": lane.is_replay,
            "url": endpoint.origin + "/…",
        },
        "subject": lane.subject,
        "project": endpoint.project,
        "priority": default if priority is None else priority,
        "dedupe_key": lane.dedupe_key,
        "request_id": request_id,
        "fair_key": f"{endpoint.project_id}|{endpoint.origin}",
    }


def stranded() -> QuerySet[Delivery]:
    """Pending deliveries of enabled endpoints whose lane has no live job, one of each lane.

    There are none unless an operator removed a job or a disabled endpoint was enabled.
    """
    enabled = Delivery.objects.filter(endpoint__is_enabled=True, endpoint__deleted_at=None)
    return _without_job(enabled)


def _without_job(rows: QuerySet[Delivery]) -> QuerySet[Delivery]:
    kind = Case(When(is_replay=True, then=Value("replay:")), default=Value("lane:"))
    key = Concat(kind, F("endpoint__public_id"), Value(":"), F("subject"))
    live = Job.objects.live().filter(dedupe_key=OuterRef("key"))
    rows = rows.filter(status=DeliveryStatus.PENDING).annotate(key=key).filter(~Exists(live))
    rows = rows.select_related("endpoint__project")
    columns = ("endpoint_id", "subject", "is_replay")
    return rows.order_by(*columns).distinct(*columns)


def enqueue_stranded(rows: Iterable[Delivery]) -> None:
    """Enqueue the missing jobs of these deliveries' lanes."""
    for row in rows:
        enqueue(row.endpoint, row.subject, is_replay=row.is_replay)


def enqueue_all(endpoint: Endpoint) -> None:
    """Start the lanes of an endpoint that will receive again: those with a live job are due now,
    the others get one. Lanes beyond the first thousand are found by the recurring job.
    """
    hasten(endpoint)
    rows = Delivery.objects.filter(endpoint=endpoint, status=DeliveryStatus.PENDING)
    enqueue_stranded(_without_job(rows)[:1_000])


def hasten(endpoint: Endpoint, *, limit: int = 1_000) -> int:
    """Make the endpoint's waiting lanes due now; returns how many."""
    rows = (
        Delivery.objects.filter(endpoint=endpoint, status=DeliveryStatus.PENDING)
        .select_related("endpoint")
        .order_by("endpoint_id", "subject", "is_replay")
        .distinct("endpoint_id", "subject", "is_replay")[:limit]
    )
    return queue.hasten([Lane.of(row).dedupe_key for row in rows])


def hasten_lane(endpoint: Endpoint, delivery: Delivery) -> None:
    """Make the lane of one delivery due now."""
    lane = Lane(endpoint.public_id, delivery.subject, delivery.is_replay)
    queue.hasten([lane.dedupe_key])


def is_behind(delivery: QuerySet[Delivery]) -> QuerySet[Delivery]:
    """Adds ``is_behind``: an earlier message of its lane is pending."""
    earlier = Delivery.objects.filter(
        endpoint_id=OuterRef("endpoint_id"),
        subject=OuterRef("subject"),
        is_replay=OuterRef("is_replay"),
        status=DeliveryStatus.PENDING,
        message_id__lt=OuterRef("message_id"),
    )
    return delivery.annotate(is_behind=Exists(earlier))
