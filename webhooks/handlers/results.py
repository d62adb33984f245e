"""Writes the attempts of lanes: deliveries, their history, the health of endpoints."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db import connection

from egress.webhooks.sending import DeliveryResult
from jobs.handler import CompletedCall
from jobs.models import Job
from jobs.outcomes import Again, Done, Outcome, Retry
from webhooks import health, lanes, policy
from webhooks.handlers.letters import Mail, Posted
from webhooks.lanes import Lane
from webhooks.models import Attempt, Delivery, DeliveryStatus
from webhooks.owner import owner

Calls = Sequence[CompletedCall[Mail, Sequence[Posted]]]
# Bytes of an answer's body that are kept.
ANSWER_BYTES = 1_000
_GONE = 410
# One statement for all rows: Django's bulk_update composes a CASE for each column and row.
_SAVE = """
UPDATE webhooks_delivery d SET
    status = n.status, attempts = n.attempts, tries = n.tries,
    next_attempt_at = n.next_attempt_at, last_status_code = n.last_status_code,
    last_error = n.last_error, ended_at = n.ended_at
FROM unnest(%s::bigint[], %s::text[], %s::int[], %s::int[], %s::timestamptz[], %s::smallint[],
    %s::text[], %s::timestamptz[])
    AS n(id, status, attempts, tries, next_attempt_at, last_status_code, last_error, ended_at)
WHERE d.id = n.id
"""


@dataclass(slots=True)
class _Batch:
    """What is written for all lanes together."""

    now: datetime
    changed: list[Delivery] = field(default_factory=list)
    attempts: list[Attempt] = field(default_factory=list)
    given_up: list[Delivery] = field(default_factory=list)
    records: dict[int, health.Record] = field(default_factory=dict)


def apply(calls: Calls, now: datetime) -> Mapping[int, Outcome]:
    """Write everything and return the jobs' outcomes. The jobs are locked."""
    deliveries = _locked(calls)
    batch = _Batch(now)
    retries: dict[int, Outcome] = {}
    ended: dict[Lane, Job] = {}
    for call in calls:
        (job,) = call.jobs
        delays = [_take(posted, deliveries, call.work, batch) for posted in call.result]
        if delays and delays[-1] is not None:
            error = call.result[-1].result.error or "not delivered"
            retries[job.pk] = Retry(error, delays[-1], keeps_delay=True)
        else:
            ended[call.work.lane] = job
    _save(batch.changed)
    Attempt.objects.bulk_create(batch.attempts)
    health.note(batch.records, now)
    for delivery in batch.given_up:
        owner().tell_undelivered(delivery)
    more = lanes.still_pending(list(ended)) if ended else set()
    rest = {job.pk: Again() if lane in more else Done() for lane, job in ended.items()}
    return {**retries, **rest}


def _save(rows: Sequence[Delivery]) -> None:
    if not rows:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            _SAVE,
            [
                [row.pk for row in rows],
                [str(row.status) for row in rows],
                [row.attempts for row in rows],
                [row.tries for row in rows],
                [row.next_attempt_at for row in rows],
                [row.last_status_code for row in rows],
                [row.last_error for row in rows],
                [row.ended_at for row in rows],
            ],
        )


def _locked(calls: Calls) -> dict[int, Delivery]:
    """Locked in the order of their keys, after their jobs."""
    pks = {posted.letter.delivery_id for call in calls for posted in call.result}
    rows = Delivery.objects.select_for_update(of=["self"]).select_related("message", "endpoint")
    rows = rows.defer("message__body")
    return {row.pk: row for row in rows.filter(pk__in=pks).order_by("pk")}


def _take(
    posted: Posted, deliveries: Mapping[int, Delivery], mail: Mail, batch: _Batch
) -> timedelta | None:
    """Note one attempt; returns the delay before the next one, None if there is none."""
    delivery = deliveries.get(posted.letter.delivery_id)
    if delivery is None:
        return None
    result = posted.result
    delivery.attempts += 1
    delivery.tries += 1
    delivery.last_status_code = result.status_code
    delivery.last_error = "" if result.is_delivered else (result.error or "")[:500]
    delay = None
    if result.is_delivered:
        _end(delivery, DeliveryStatus.DELIVERED, batch)
    elif delivery.status == DeliveryStatus.PENDING:
        delay = _fail(delivery, result, batch)
    batch.changed.append(delivery)
    batch.attempts.append(_attempt(delivery, posted, mail))
    _observe(delivery, result, batch)
    return delay


def _fail(delivery: Delivery, result: DeliveryResult, batch: _Batch) -> timedelta | None:
    delay = None if result.is_permanent else policy.next_delay(delivery.tries, result.retry_after)
    if delivery.type == "webhook.test":
        delay = None
    if delay is not None:
        delivery.next_attempt_at = batch.now + delay
        return delay
    _end(delivery, DeliveryStatus.FAILED, batch)
    batch.given_up.append(delivery)
    return None


def _end(delivery: Delivery, status: DeliveryStatus, batch: _Batch) -> None:
    delivery.status = status
    delivery.ended_at = batch.now
    delivery.next_attempt_at = None


def _attempt(delivery: Delivery, posted: Posted, mail: Mail) -> Attempt:
    result = posted.result
    return Attempt(
        delivery=delivery,
        endpoint_id=delivery.endpoint_id,
        number=delivery.attempts,
        started_at=mail.sent_at + timedelta(seconds=posted.after),
        duration_ms=round(result.seconds * 1000),
        is_delivered=result.is_delivered,
        status_code=result.status_code,
        error=delivery.last_error,
        answer=result.response_excerpt[:ANSWER_BYTES],
        address=result.address,
    )


def _observe(delivery: Delivery, result: DeliveryResult, batch: _Batch) -> None:
    if delivery.type == "webhook.test" and not result.is_delivered:
        return
    record = batch.records.setdefault(delivery.endpoint_id, health.Record())
    if result.is_delivered:
        record.succeeded = True
        return
    record.failed, record.last_error = True, delivery.last_error
    record.is_gone = record.is_gone or result.status_code == _GONE
