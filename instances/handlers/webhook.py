"""send_webhook: sends a signed message until the receiver answers 2xx or attempts are used up."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from ipaddress import IPv4Network, IPv6Network, ip_network

from django.conf import settings

from accounts.webhook_secrets import Secrets, secrets_of
from core.clock import database_now
from egress.webhooks.sending import DeliveryResult, deliver
from egress.webhooks.signing import signed_headers
from instances.domain.enums import DeliveryStatus
from instances.lifecycle import outbox
from instances.lifecycle.transitions import record_event
from instances.models import Instance, WebhookDelivery
from instances.models.locking import cause_of, locked_instances
from instances.novita import installation, metric_counters
from jobs.failpoints import failpoint
from jobs.handler import CompletedCall, Handler, Resolved, WorkItem, get_type
from jobs.models import Job
from jobs.outcomes import Done, GiveUp, Outcome, Retry

LOOPBACK = (ip_network("127.0.0.0/8"), ip_network("::1/128"))

_NO_MESSAGE = "the job's payload names no message (deliveryId)"
SAVED_FIELDS = ["attempts", "last_status_code", "last_error", "status", "ended_at"]


@dataclass(frozen=True, slots=True)
class Message:
    """A message to send; ``body`` is signed and sent as these exact bytes."""

    message_id: str
    url: str
    body: bytes
    secrets: Secrets
    sent_at: datetime


class SendWebhook(Handler[Message, DeliveryResult]):
    """Sends one message; its end enqueues the next message of the instance."""

    def load(self, jobs: Sequence[Job]) -> Sequence[WorkItem[Message] | Resolved]:
        # A copy of the database has the original's messages: they must not be sent twice.
        if held := installation.paused_if_copy(jobs):
            return held
        deliveries = _deliveries(jobs)
        now = database_now()
        parts: list[WorkItem[Message] | Resolved] = []
        for job in jobs:
            message_id = _message_id(job)
            delivery = deliveries.get(message_id)
            if not message_id:
                parts.append(Resolved({job.pk: GiveUp(_NO_MESSAGE)}))
            elif delivery is None or delivery.status != DeliveryStatus.PENDING:
                parts.append(Resolved({job.pk: Done()}))
            else:
                parts.append(WorkItem([job], _message(delivery, now)))
        return parts

    def call(self, work: Message) -> DeliveryResult:
        headers = {
            "Content-Type": "application/json",
            **signed_headers(
                work.secrets.current,
                work.message_id,
                work.body,
                work.sent_at,
                also_sign_with=work.secrets.former,
            ),
        }
        result = deliver(
            work.url,
            work.body,
            headers,
            allowed_networks=allowed_networks(),
            timeout_seconds=settings.CONFIG.webhook_timeout,
        )
        failpoint("webhook.after_send")
        return result

    def record_usage(self, calls: Sequence[tuple[Message, DeliveryResult]]) -> None:
        delivered = sum(result.is_delivered for _, result in calls)
        metric_counters.add(
            {
                metric_counters.key("webhook_attempts_total", outcome="delivered"): Decimal(
                    delivered
                ),
                metric_counters.key("webhook_attempts_total", outcome="refused"): Decimal(
                    len(calls) - delivered
                ),
            }
        )

    def apply(
        self, jobs: Sequence[Job], work: Message, result: DeliveryResult
    ) -> Mapping[int, Outcome]:
        return self.apply_all([CompletedCall(jobs, work, result)])

    def apply_all(
        self, calls: Sequence[CompletedCall[Message, DeliveryResult]]
    ) -> Mapping[int, Outcome]:
        """Apply results in bulk: many instances that start together cause many messages."""
        jobs = {_message_id(job): job for call in calls for job in call.jobs}
        locked_instances(jobs.values())
        deliveries = _deliveries(jobs.values())
        outcomes: dict[int, Outcome] = {}
        for call in calls:
            delivery, job = deliveries[call.work.message_id], jobs[call.work.message_id]
            _note(delivery, call.result)
            outcomes[job.pk] = Done() if call.result.is_delivered else _retry(job, call.result)
        WebhookDelivery.objects.bulk_update(deliveries.values(), SAVED_FIELDS)
        outbox.enqueue_next(
            {d.instance_id: jobs[key].request_id for key, d in deliveries.items() if d.ended_at}
        )
        return outcomes

    def on_give_up(self, job: Job, error: str) -> None:
        if ended := _end_undelivered(job, error):
            _tell_owner(job, *ended)

    def is_cancellable(self, job: Job) -> bool:
        return True

    def on_cancel(self, job: Job) -> None:
        """Fail the message. One that is being sent at this moment may still arrive."""
        _end_undelivered(job, "cancelled before it was delivered", is_last_word=True)

    def on_redrive(self, job: Job) -> None:
        WebhookDelivery.objects.filter(public_id=_message_id(job)).update(
            status=DeliveryStatus.PENDING, ended_at=None
        )


def _end_undelivered(
    job: Job, error: str, *, is_last_word: bool = False
) -> tuple[Instance, WebhookDelivery] | None:
    """Fail the message and enqueue the instance's next one; returns both if it was pending.

    The instance is locked. ``is_last_word``: the error replaces the receiver's last answer. Raises
    nothing for invalid payloads: an operator must be able to remove every job.
    """
    # Lock first: an event that is being written now sees this message pending and leaves its own
    # job to the end of this one.
    instance = locked_instances([job]).get(job.subject)
    delivery = WebhookDelivery.objects.filter(
        public_id=_message_id(job), status=DeliveryStatus.PENDING
    ).first()
    if delivery is not None:
        if is_last_word or not delivery.last_error:
            delivery.last_error = error[:500]
        delivery.status = DeliveryStatus.FAILED
        delivery.ended_at = database_now()
        delivery.save()
        outbox.enqueue_next({delivery.instance_id: job.request_id})
    elif instance is not None:
        # A job without a message: the instance's messages must not wait for it.
        outbox.enqueue_next({instance.pk: job.request_id})
    return (instance, delivery) if instance is not None and delivery is not None else None


def _tell_owner(job: Job, instance: Instance, delivery: WebhookDelivery) -> None:
    """Write an event without a webhook: that would go to the same receiver."""
    record_event(
        instance,
        "instance.webhook_given_up",
        cause=cause_of(job, "the message was not delivered"),
        now=database_now(),
        data={
            "messageId": delivery.public_id,
            "type": str(delivery.payload.get("type", "")),
            "attempts": delivery.attempts,
            "error": delivery.last_error,
        },
    )


def _message_id(job: Job) -> str:
    """Empty if the payload has no message id."""
    named = job.payload.get("deliveryId") if isinstance(job.payload, Mapping) else None
    return named if isinstance(named, str) else ""


def allowed_networks() -> Sequence[IPv4Network | IPv6Network]:
    """WEBHOOK_ALLOWED_NETWORKS, or loopback outside production: private networks of receivers."""
    configured = settings.CONFIG.webhook_allowed_networks
    if configured is not None:
        return tuple(configured)
    return () if settings.CONFIG.is_production else LOOPBACK


def _deliveries(jobs: Iterable[Job]) -> dict[str, WebhookDelivery]:
    rows = WebhookDelivery.objects.select_related("instance", "project").filter(
        public_id__in={_message_id(job) for job in jobs}
    )
    return {row.public_id: row for row in rows}


def _message(delivery: WebhookDelivery, now: datetime) -> Message:
    """Uses the present URL, so that a correction applies to pending messages."""
    return Message(
        message_id=delivery.public_id,
        url=delivery.instance.webhook_url,
        body=json.dumps(delivery.payload, separators=(",", ":")).encode(),
        secrets=secrets_of(delivery.project, now),
        sent_at=now,
    )


def _retry(job: Job, result: DeliveryResult) -> Outcome:
    error = result.error or f"HTTP {result.status_code}"
    if result.is_permanent:
        return GiveUp(error)
    planned = get_type(job.type).retry.delay(job.attempts)
    asked = timedelta(seconds=result.retry_after or 0)
    # Retry-After may slow the retries down, but not by days.
    return Retry(error, min(max(planned, asked), max(planned * 2, timedelta(minutes=1))))


def _note(delivery: WebhookDelivery, result: DeliveryResult) -> None:
    delivery.attempts += 1
    delivery.last_status_code = result.status_code
    delivery.last_error = "" if result.is_delivered else (result.error or "")[:500]
    if result.is_delivered:
        delivery.status = DeliveryStatus.DELIVERED
        delivery.ended_at = database_now()
