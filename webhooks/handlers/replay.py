"""replay_webhooks: queues the messages of a replay, a few at a time, so that its receiver is not
flooded.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from core.clock import database_now
from jobs.handler import Handler, Resolved, WorkItem
from jobs.models import Job
from jobs.outcomes import Again, Done, Outcome
from webhooks import event_types, lanes
from webhooks.lanes import Lane
from webhooks.models import Delivery, DeliveryStatus, Endpoint, Message, Replay, ReplayStatus
from webhooks.owner import owner
from webhooks.services.sending import make_pending

# Most deliveries of a replay that wait or are being sent.
WINDOW = 20
PAUSE = timedelta(milliseconds=250)
# While nothing more is queued.
LONG_PAUSE = timedelta(seconds=2)
_UNDELIVERED = (DeliveryStatus.FAILED, DeliveryStatus.SKIPPED, DeliveryStatus.CANCELLED)


class ReplayWebhooks(Handler[str, None]):
    """Each run fills the replay's window of pending deliveries; the last one ends the replay."""

    def load(self, jobs: Sequence[Job]) -> Sequence[WorkItem[str] | Resolved]:
        if held := owner().paused(jobs):
            return held
        return [WorkItem([job], str(job.payload.get("replayId", ""))) for job in jobs]

    def call(self, work: str) -> None:
        """Nothing is called."""

    def apply(self, jobs: Sequence[Job], work: str, result: None) -> Mapping[int, Outcome]:
        outcome = _advance(work)
        return {job.pk: outcome for job in jobs}

    def is_cancellable(self, job: Job) -> bool:
        return True

    def on_cancel(self, job: Job) -> None:
        Replay.objects.filter(
            public_id=str(job.payload.get("replayId", "")), status=ReplayStatus.RUNNING
        ).update(status=ReplayStatus.CANCELLED, ended_at=database_now())


def _advance(public_id: str) -> Outcome:
    # Locked: what is queued here must be seen by whoever cancels the replay.
    rows = Replay.objects.select_related("endpoint__project").filter(public_id=public_id)
    replay = rows.select_for_update(of=["self"], no_key=True).first()
    if replay is None or replay.status != ReplayStatus.RUNNING:
        return Done()
    if replay.endpoint.deleted_at is not None or not replay.endpoint.is_enabled:
        return _end(replay, ReplayStatus.CANCELLED)
    waiting = Delivery.objects.filter(replay=replay, status=DeliveryStatus.PENDING)
    room = WINDOW - waiting[:WINDOW].count()
    if not replay.is_all_queued and room > 0:
        _queue(replay, room)
        return Again(PAUSE)
    if replay.is_all_queued and room == WINDOW:
        return _end(replay, ReplayStatus.COMPLETED)
    return Again(LONG_PAUSE)


def _end(replay: Replay, status: ReplayStatus) -> Outcome:
    Replay.objects.filter(pk=replay.pk, status=ReplayStatus.RUNNING).update(
        status=status, ended_at=database_now()
    )
    return Done()


def _queue(replay: Replay, room: int) -> None:
    messages = list(_messages(replay).order_by("pk")[:room])
    with transaction.atomic(savepoint=False):
        _queue_all(replay, messages)
        replay.queued += len(messages)
        replay.position = messages[-1].pk if messages else replay.position
        replay.is_all_queued = len(messages) < room
        # A cancellation at this moment is kept.
        Replay.objects.filter(pk=replay.pk).update(
            queued=replay.queued, position=replay.position, is_all_queued=replay.is_all_queued
        )


def _messages(replay: Replay) -> QuerySet[Message]:
    """Those after the position that the endpoint has got, or would have got had it existed."""
    endpoint = replay.endpoint
    rows = Message.objects.filter(
        project_id=replay.project_id,
        created_at__gte=replay.since,
        created_at__lt=replay.until,
        pk__gt=replay.position,
    ).exclude(type=event_types.TEST.name)
    subject = replay.subject or endpoint.subject
    if subject:
        rows = rows.filter(subject=subject)
    own = Delivery.objects.filter(message=OuterRef("pk"), endpoint=endpoint)
    if replay.only_failed:
        return _typed(rows, replay).filter(Exists(own.filter(status__in=_UNDELIVERED)))
    is_pending = Exists(own.filter(status=DeliveryStatus.PENDING))
    return _typed(rows, replay).filter(Q(Exists(own)) | _subscribed(endpoint)).exclude(is_pending)


def _typed(rows: QuerySet[Message], replay: Replay) -> QuerySet[Message]:
    return rows.filter(type__in=replay.types) if replay.types else rows


def _subscribed(endpoint: Endpoint) -> Q:
    if endpoint.event_types:
        return Q(type__in=endpoint.event_types)
    opt_in = [each.name for each in event_types.all_types() if each.is_opt_in]
    return ~Q(type__in=opt_in)


def _queue_all(replay: Replay, messages: Sequence[Message]) -> None:
    """First all jobs, in the order in which workers lock them, then the deliveries."""
    endpoint = replay.endpoint
    found = {
        row.message_id: row
        for row in Delivery.objects.filter(message__in=messages, endpoint=endpoint)
    }
    subjects = {
        message.pk: found[message.pk].subject
        if message.pk in found
        else message.subject or message.public_id
        for message in messages
    }
    chosen = sorted(set(subjects.values()))
    lanes.lock([Lane(endpoint.public_id, subject, is_replay=True) for subject in chosen])
    for subject in chosen:
        lanes.enqueue(endpoint, subject, is_replay=True)
    make_pending(sorted(row.pk for row in found.values()), replay_id=replay.pk)
    Delivery.objects.bulk_create(
        Delivery(
            project_id=message.project_id,
            message=message,
            endpoint=endpoint,
            subject=subjects[message.pk],
            type=message.type,
            is_replay=True,
            replay=replay,
        )
        for message in messages
        if message.pk not in found
    )
