"""Starts and cancels replays."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction

from accounts import audit
from core.clock import database_now
from jobs import queue
from jobs.models import JobPriority
from webhooks.errors import NotDeliverable, TooManyReplays
from webhooks.models import Delivery, DeliveryStatus, Endpoint, Replay, ReplayStatus

JOB_TYPE = "replay_webhooks"
# Running replays of an endpoint.
MOST = 5


@dataclass(frozen=True, slots=True)
class Range:
    """Which messages: from ``since`` up to before ``until`` (default: now)."""

    since: datetime
    until: datetime | None = None
    types: tuple[str, ...] = ()
    subject: str = ""
    only_failed: bool = False


def start(endpoint: Endpoint, wanted: Range, *, actor: str) -> Replay:
    """Write a replay and its job. A running replay of the same range is returned instead, so that
    a repeated request sends nothing twice. Raises NotDeliverable.
    """
    if endpoint.deleted_at is not None or not endpoint.is_enabled:
        raise NotDeliverable(f"Endpoint {endpoint.public_id} is disabled; enable it first.")
    with transaction.atomic():
        Endpoint.objects.select_for_update(of=["self"], no_key=True).get(pk=endpoint.pk)
        if (running := _same(endpoint, wanted)) is not None:
            return running
        if Replay.objects.filter(endpoint=endpoint, status=ReplayStatus.RUNNING).count() >= MOST:
            raise TooManyReplays(f"Endpoint {endpoint.public_id} has {MOST} running replays.")
        replay = Replay.objects.create(
            project=endpoint.project,
            endpoint=endpoint,
            since=wanted.since,
            until=wanted.until or database_now(),
            types=list(wanted.types),
            subject=wanted.subject,
            only_failed=wanted.only_failed,
            made_by=actor[:80],
        )
        queue.enqueue(
            JOB_TYPE,
            payload={"replayId": replay.public_id},
            subject=replay.public_id,
            project=endpoint.project,
            priority=JobPriority.LOW,
            dedupe_key=f"{JOB_TYPE}:{replay.public_id}",
        )
        _audit("webhook.replay", replay, actor, since=replay.since.isoformat())
    return replay


def _same(endpoint: Endpoint, wanted: Range) -> Replay | None:
    fields: dict[str, Any] = {
        "since": wanted.since,
        "types": list(wanted.types),
        "subject": wanted.subject,
        "only_failed": wanted.only_failed,
    }
    if wanted.until is not None:
        fields["until"] = wanted.until
    rows = Replay.objects.filter(endpoint=endpoint, status=ReplayStatus.RUNNING, **fields)
    return rows.select_related("endpoint", "project").first()


def cancel(replay: Replay, *, actor: str) -> Replay:
    """Stop a running replay; what it has queued and not sent is cancelled."""
    with transaction.atomic():
        now = database_now()
        rows = Replay.objects.filter(pk=replay.pk, status=ReplayStatus.RUNNING)
        if rows.update(status=ReplayStatus.CANCELLED, ended_at=now):
            Delivery.objects.filter(replay=replay, status=DeliveryStatus.PENDING).update(
                status=DeliveryStatus.CANCELLED,
                ended_at=now,
                next_attempt_at=None,
                last_error="the replay was cancelled",
            )
            _audit("webhook.replay_cancel", replay, actor)
    return Replay.objects.select_related("endpoint", "project").get(pk=replay.pk)


def counts(replay: Replay) -> dict[str, int]:
    """Numbers of its deliveries by status."""
    from django.db.models import Count

    rows = Delivery.objects.filter(replay=replay).order_by().values_list("status")
    return dict(rows.annotate(count=Count("pk")))


def _audit(verb: str, replay: Replay, actor: str, **after: object) -> None:
    audit.record(
        verb,
        actor=actor,
        subject=replay.endpoint.public_id,
        project=replay.project,
        after={"replay": replay.public_id, **after},
    )
