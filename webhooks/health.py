"""Health of endpoints: when they fail, recover and are disabled, and who is told.

An endpoint is failing from its first failure until its next success. After WEBHOOK_FAILING_AFTER
seconds the project's other endpoints are told, after WEBHOOK_DISABLE_AFTER it is disabled.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.conf import settings

from webhooks import event_types, lanes, outbox
from webhooks.messages import EndpointFacts
from webhooks.models import Endpoint

logger = structlog.get_logger(__name__)

# A success is written again after this time only: every delivery would write the row.
SUCCESS_GRAIN = timedelta(minutes=1)
# A success after a shorter series of failures is no recovery: a receiver that refuses some messages
# would get these again at each success, until their attempts are used up.
OUTAGE = timedelta(minutes=1)
GONE = "It answered 410 Gone."


@dataclass(slots=True)
class Record:
    """What happened at one endpoint in a batch of attempts; the newest counts."""

    succeeded: bool = False
    failed: bool = False
    is_gone: bool = False
    last_error: str = ""


def note(records: Mapping[int, Record], now: datetime) -> None:
    """Write the results of a batch, by endpoint pk; needs a transaction with the jobs locked."""
    due = [pk for pk, record in records.items() if record.failed or record.is_gone]
    due += list(_worth_writing([pk for pk in records if pk not in due], now))
    # Without the key: writers of messages hold it while they wait for the lane's job.
    rows = Endpoint.objects.select_for_update(of=["self"], no_key=True).select_related("project")
    for endpoint in rows.filter(pk__in=due).order_by("pk"):
        _note(endpoint, records[endpoint.pk], now)


def _worth_writing(pks: list[int], now: datetime) -> list[int]:
    rows = Endpoint.objects.filter(pk__in=pks)
    stale = rows.exclude(failing_since=None, last_success_at__gt=now - SUCCESS_GRAIN)
    return list(stale.values_list("pk", flat=True))


def _note(endpoint: Endpoint, record: Record, now: datetime) -> None:
    if record.failed:
        endpoint.last_failure_at, endpoint.last_error = now, record.last_error[:500]
        endpoint.failing_since = endpoint.failing_since or now
    if record.succeeded:
        endpoint.last_success_at = now
        _recover(endpoint, now)
    elif record.is_gone:
        disable(endpoint, GONE, now)
    elif endpoint.is_enabled:
        _check_failures(endpoint, now)
    endpoint.save()


def _recover(endpoint: Endpoint, now: datetime) -> None:
    """Whatever waits for a retry is sent now."""
    since = endpoint.failing_since
    if since is None:
        return
    told = endpoint.failing_told_at
    endpoint.failing_since = endpoint.failing_told_at = None
    if now - since >= OUTAGE:
        lanes.hasten(endpoint)
    if told is not None:
        data = described(endpoint, failingSince=since)
        outbox.tell(event_types.RECOVERED.name, endpoint.project, endpoint, data, now=now)


def _check_failures(endpoint: Endpoint, now: datetime) -> None:
    since = endpoint.failing_since
    if since is None:
        return
    config = settings.CONFIG
    if now - since >= timedelta(seconds=config.webhook_disable_after):
        days = round(config.webhook_disable_after / 86_400, 1)
        disable(endpoint, f"Nothing was delivered for {days:g} days.", now)
    elif endpoint.failing_told_at is None and now - since >= timedelta(
        seconds=config.webhook_failing_after
    ):
        endpoint.failing_told_at = now
        data = described(endpoint, failingSince=since, error=endpoint.last_error)
        outbox.tell(event_types.FAILING.name, endpoint.project, endpoint, data, now=now)


def disable(endpoint: Endpoint, reason: str, now: datetime) -> None:
    """Disable an endpoint without being asked, and tell the others; the caller saves the row."""
    if not endpoint.is_enabled:
        return
    endpoint.is_enabled = False
    endpoint.disabled_at, endpoint.disabled_reason = now, reason[:300]
    data = described(endpoint, reason=reason, error=endpoint.last_error or None)
    outbox.tell(event_types.DISABLED.name, endpoint.project, endpoint, data, now=now)
    logger.warning("webhook_endpoint_disabled", endpoint=endpoint.public_id, reason=reason)


def described(endpoint: Endpoint, **facts: Any) -> EndpointFacts:
    """What messages say of an endpoint."""
    return EndpointFacts(
        id=endpoint.public_id,
        receiver=endpoint.origin,
        instanceId=endpoint.subject or None,
        **facts,
    )
