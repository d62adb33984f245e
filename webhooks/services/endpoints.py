"""Creates, changes, enables, rotates and deletes endpoints.

Lock order: jobs of lanes first, then deliveries, then endpoints.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet

from accounts import audit
from accounts.models import Project
from core.clock import database_now
from egress.webhooks import signing
from egress.webhooks.targets import check_url
from egress.webhooks.urls import WebhookUrlError, check_webhook_url
from webhooks import event_types, lanes, limits
from webhooks.errors import (
    BelongsToInstance,
    EndpointInvalid,
    RotationRefused,
    SigningSecretRefused,
    SubjectUnknown,
    TooManyEndpoints,
)
from webhooks.models import Delivery, DeliveryStatus, Endpoint, EndpointKind, Signature
from webhooks.outbox import origin_of
from webhooks.owner import owner

logger = structlog.get_logger(__name__)

LONGEST_OVERLAP = timedelta(days=30)
# Deliveries that a deletion cancels itself; the recurring job does the rest.
MOST_CANCELLED = 1_000
DISABLED_BY_REQUEST = "Disabled by request."
# Fields that show or open something: the audit only names them.
_SECRET = frozenset({"url", "headers", "basic_auth"})


@dataclass(frozen=True, slots=True)
class EndpointSpec:
    """What a caller may choose, by the model's field names; ``subject`` and ``signature`` only
    when it is made.
    """

    fields: Mapping[str, Any] = field(default_factory=dict)


def create(project: Project, spec: EndpointSpec, *, actor: str) -> Endpoint:
    """Write an endpoint with a new secret. Raises EndpointInvalid, TooManyEndpoints."""
    fields = dict(spec.fields)
    _check(project, fields)
    endpoint = Endpoint(project=project, made_by=actor[:80], **fields)
    endpoint.origin = origin_of(str(endpoint.url))
    endpoint.secret = new_secret(endpoint.signature)
    if not endpoint.is_enabled:
        endpoint.disabled_at, endpoint.disabled_reason = database_now(), DISABLED_BY_REQUEST
    with transaction.atomic():
        _hold_room(project)
        endpoint.save(force_insert=True)
        _audit("webhook.create", endpoint, actor, after=_told(endpoint, fields))
    return endpoint


def new_secret(signature: str) -> str:
    """A new signing key of that scheme."""
    return signing.generate_secret() if signature == Signature.V1 else signing.generate_v1a_key()


def update(endpoint: Endpoint, spec: EndpointSpec, *, actor: str) -> Endpoint:
    """Change fields. Enabling sends what waits; a new URL starts without failures.

    Raises EndpointInvalid.
    """
    fields = dict(spec.fields)
    _check(endpoint.project, fields)
    with transaction.atomic():
        if fields.get("is_enabled") is True and not endpoint.is_enabled:
            lanes.enqueue_all(endpoint)
        row = _locked(endpoint)
        before = _told(row, fields)
        for name, value in fields.items():
            setattr(row, name, value)
        if "url" in fields:
            _forget_access(row, fields)
            row.origin = origin_of(str(row.url))
            row.failing_since = row.failing_told_at = None
        _enable(row, fields.get("is_enabled"))
        row.save()
        _audit("webhook.update", row, actor, before=before, after=_told(row, fields))
    return row


def _forget_access(row: Endpoint, fields: Mapping[str, Any]) -> None:
    """Another host must not get what was given for the former one."""
    if origin_of(str(row.url)) == row.origin:
        return
    row.headers = fields.get("headers", {})
    row.basic_auth = fields.get("basic_auth", "")


def _enable(row: Endpoint, is_enabled: bool | None) -> None:
    if is_enabled is True:
        row.disabled_at, row.disabled_reason = None, ""
        row.failing_since = row.failing_told_at = None
    elif is_enabled is False and row.disabled_at is None:
        row.disabled_at, row.disabled_reason = database_now(), DISABLED_BY_REQUEST


def change_url(endpoint: Endpoint, url: str) -> None:
    """Give an endpoint of one subject another URL, which starts without failures; a disabled one
    receives again. What waits is sent now. In the caller's transaction.
    """
    lanes.enqueue(endpoint, endpoint.subject)
    row = _locked(endpoint)
    row.url, row.origin = url, origin_of(url)
    row.failing_since = row.failing_told_at = row.disabled_at = None
    row.is_enabled, row.disabled_reason = True, ""
    row.save()


def delete(endpoint: Endpoint, *, actor: str) -> None:
    """Delete an endpoint; what waits for it is cancelled. Raises BelongsToInstance."""
    if endpoint.kind == EndpointKind.INSTANCE:
        raise BelongsToInstance(
            f"Endpoint {endpoint.public_id} is the webhookUrl of {endpoint.subject}; remove that."
        )
    with transaction.atomic():
        row = end(endpoint)
        _audit("webhook.delete", row, actor)


def end(endpoint: Endpoint) -> Endpoint:
    """Cancel the pending deliveries of an endpoint and mark it as deleted, in this order, in the
    caller's transaction. What is written for it meanwhile is cancelled by the recurring job.
    """
    now = database_now()
    waiting = Delivery.objects.filter(endpoint=endpoint, status=DeliveryStatus.PENDING)
    first = list(waiting.order_by("id").values_list("pk", flat=True)[:MOST_CANCELLED])
    cancel_pending(Delivery.objects.filter(pk__in=first), now)
    row = _locked(endpoint)
    row.deleted_at, row.is_enabled = now, False
    row.secret = row.previous_secret = row.basic_auth = ""
    row.headers = {}
    row.save()
    return row


def cancel_pending(rows: QuerySet[Delivery], now: datetime) -> None:
    """Cancel what waits for a deleted endpoint."""
    rows.filter(status=DeliveryStatus.PENDING).update(
        status=DeliveryStatus.CANCELLED,
        ended_at=now,
        next_attempt_at=None,
        last_error="the endpoint was deleted before this message was delivered",
    )


def rotate_secret(endpoint: Endpoint, *, overlap: timedelta, actor: str) -> Endpoint:
    """Give an endpoint a new secret; the old one signs too until the overlap is over.

    Raises SigningSecretRefused for the endpoint of a ``webhookUrl``, RotationRefused while an
    earlier overlap lasts (an overlap of 0 always goes).
    """
    if endpoint.kind == EndpointKind.INSTANCE:
        raise SigningSecretRefused(
            "Messages to a webhookUrl are signed with the project's secret; rotate that one:"
            " POST /api/webhooks/signing-secret/rotate."
        )
    with transaction.atomic():
        row = _locked(endpoint)
        now = database_now()
        until = row.previous_secret_until
        if overlap and until is not None and now < until:
            raise RotationRefused(
                f"Endpoint {row.public_id} has two secrets until {until:%Y-%m-%d %H:%M} UTC. Wait"
                " until then, or rotate with overlapHours 0."
            )
        row.previous_secret = str(row.secret) if overlap else ""
        row.previous_secret_until = now + overlap if overlap else None
        row.secret = new_secret(row.signature)
        row.save()
        hours = overlap / timedelta(hours=1)
        _audit("webhook.rotate_secret", row, actor, after={"overlapHours": hours})
    return row


def _locked(endpoint: Endpoint) -> Endpoint:
    rows = Endpoint.objects.select_for_update(of=["self"], no_key=True)
    rows = rows.select_related("project")
    return rows.existing().get(pk=endpoint.pk)


def _check(project: Project, fields: Mapping[str, Any]) -> None:
    """Raise EndpointInvalid with all that is wrong."""
    errors: dict[str, str] = {}
    if "url" in fields and (reason := refusal_of(fields["url"])):
        errors["url"] = reason
    known = {each.name for each in event_types.all_types()}
    if unknown := sorted(set(fields.get("event_types", ())) - known):
        errors["eventTypes"] = f"Unknown event type: {unknown[0][:60]}"
    if errors:
        raise EndpointInvalid(errors)
    subject = fields.get("subject", "")
    if subject and not owner().has_subject(project, subject):
        raise SubjectUnknown(f"There is no instance {subject[:60]}.")


def refusal_of(url: str) -> str:
    """Why a URL cannot be an endpoint's; empty if it can."""
    try:
        check_webhook_url(url)
    except WebhookUrlError as error:
        return str(error)
    reason = check_url(
        url,
        allowed_networks=limits.allowed_networks(),
        https_only=settings.CONFIG.are_webhooks_https_only,
    )
    return f"Webhook URL is not allowed: {reason}" if reason else ""


def _hold_room(project: Project) -> None:
    """Locks the project's row, so that two requests cannot both take the last place."""
    Project.objects.select_for_update(no_key=True).get(pk=project.pk)
    rows = Endpoint.objects.existing().filter(project=project, kind=EndpointKind.PROJECT)
    most = settings.CONFIG.webhook_max_endpoints
    if rows.count() >= most:
        raise TooManyEndpoints(f"The project has {most} webhook endpoints, the most it may have.")


def _told(endpoint: Endpoint, fields: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: ("…" if name in _SECRET else getattr(endpoint, name))
        for name in fields
        if name != "url"
    } | ({"receiver": endpoint.origin} if "url" in fields else {})


def _audit(verb: str, endpoint: Endpoint, actor: str, **details: Any) -> None:
    audit.record(verb, actor=actor, subject=endpoint.public_id, project=endpoint.project, **details)
    logger.info(verb.replace(".", "_"), endpoint=endpoint.public_id, actor=actor)
