"""Sends test messages, and delivers again, now, or never."""

from django.db import transaction
from django.db.models import QuerySet

from accounts import audit
from core.clock import database_now
from core.inserts import insert
from jobs.models import JobPriority
from webhooks import event_types, lanes, outbox
from webhooks.errors import NotDeliverable
from webhooks.lanes import Lane
from webhooks.messages import TestFacts, TestMessage
from webhooks.models import Delivery, DeliveryStatus, Endpoint, Message


def send_test(endpoint: Endpoint, *, actor: str, request_id: str = "") -> Delivery:
    """Write a test message with a delivery that is sent before all others; disabled endpoints get
    it as well.
    """
    now = database_now()
    facts = TestFacts(endpointId=endpoint.public_id, text="This is a test message.")
    told = TestMessage(type=event_types.TEST.name, timestamp=now, data=facts)
    message = Message(
        project=endpoint.project,
        type=event_types.TEST.name,
        subject=endpoint.subject,
        body=outbox.frozen(told.as_json()),
        request_id=request_id,
    )
    with transaction.atomic():
        insert(message)
        delivery = outbox.send_alone(message, endpoint, priority=JobPriority.HIGH)
        _audit("webhook.test", endpoint, actor)
    return delivery


def redeliver(delivery: Delivery, *, actor: str) -> Delivery:
    """Send a message again with its former id; one that waits is sent now.

    Raises NotDeliverable if the endpoint is disabled or deleted.
    """
    _refuse_disabled(delivery.endpoint)
    with transaction.atomic():
        # In both lanes: a worker may end this delivery at this moment. A spare job ends by itself.
        chosen = [False, True] if delivery.status == DeliveryStatus.PENDING else [True]
        endpoint, subject = delivery.endpoint, delivery.subject
        lanes.lock([Lane(endpoint.public_id, subject, each) for each in chosen])
        for each in chosen:
            lanes.enqueue(endpoint, subject, is_replay=each)
        row = Delivery.objects.select_for_update(of=["self"]).get(pk=delivery.pk)
        if row.status == DeliveryStatus.PENDING:
            lanes.hasten_lane(delivery.endpoint, row)
        else:
            make_pending([row.pk])
        _audit("webhook.redeliver", delivery.endpoint, actor, delivery=delivery.public_id)
    return _fresh(delivery)


def make_pending(pks: list[int], replay_id: int | None = None) -> None:
    """Set ended deliveries to pending in the lane of replays; its job must be enqueued already."""
    rows = Delivery.objects.filter(pk__in=pks).exclude(status=DeliveryStatus.PENDING)
    rows.update(
        status=DeliveryStatus.PENDING,
        is_replay=True,
        replay=replay_id,
        tries=0,
        next_attempt_at=None,
        ended_at=None,
    )


def send_now(endpoint: Endpoint, *, actor: str) -> int:
    """Make everything that waits for a retry due now; returns the number of lanes."""
    _refuse_disabled(endpoint)
    with transaction.atomic():
        count = lanes.hasten(endpoint)
        _audit("webhook.send_now", endpoint, actor, lanes=count)
    return count


def cancel(delivery: Delivery, *, actor: str) -> Delivery:
    """Do not send a waiting message; it can be redelivered later. One that is being sent at this
    moment may still arrive, and is then shown as delivered.
    """
    with transaction.atomic():
        cancel_all(Delivery.objects.filter(pk=delivery.pk, status=DeliveryStatus.PENDING))
        _audit("webhook.cancel", delivery.endpoint, actor, delivery=delivery.public_id)
        # The next message of the lane is sent without waiting for this one's retry.
        lanes.hasten_lane(delivery.endpoint, delivery)
    return _fresh(delivery)


def cancel_all(pending: QuerySet[Delivery]) -> int:
    """Cancel these pending deliveries, in the caller's transaction; returns how many."""
    return pending.order_by().update(
        status=DeliveryStatus.CANCELLED,
        ended_at=database_now(),
        next_attempt_at=None,
        last_error="cancelled before it was delivered",
    )


def _refuse_disabled(endpoint: Endpoint) -> None:
    if endpoint.deleted_at is not None:
        raise NotDeliverable(f"Endpoint {endpoint.public_id} was deleted.")
    if not endpoint.is_enabled:
        raise NotDeliverable(f"Endpoint {endpoint.public_id} is disabled; enable it first.")


def _fresh(delivery: Delivery) -> Delivery:
    return Delivery.objects.select_related("endpoint", "message").get(pk=delivery.pk)


def _audit(verb: str, endpoint: Endpoint, actor: str, **after: object) -> None:
    audit.record(
        verb, actor=actor, subject=endpoint.public_id, project=endpoint.project, after=after
    )
