"""The outbox: messages and their deliveries, written in the transaction of the event."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import Model, QuerySet

from accounts.models import Project
from core.inserts import insert
from egress.webhooks.urls import receiver_of
from jobs.models import Job
from jobs.queue import CHANNEL
from webhooks import event_types, lanes
from webhooks.lanes import Lane
from webhooks.messages import EndpointFacts, EndpointMessage
from webhooks.models import Delivery, Endpoint, EndpointKind, Message

# Standard Webhooks recommends bodies below 20 kB.
MOST_BYTES = 20_000


@dataclass(frozen=True, slots=True)
class Draft:
    """A message to be written, with what its rows need.

    own_url: the ``webhookUrl`` of the subject. is_new: the subject is written by the same statement
    or transaction, so nobody else writes messages about it.
    """

    project: Project
    type: str
    subject: str
    body: Mapping[str, Any]
    request_id: str = ""
    own_url: str = ""
    is_new: bool = False


@dataclass(slots=True)
class Outgoing:
    """Unsaved rows of a message, in the order of their references; and the receivers whose lane may
    have a live job already.
    """

    rows: list[Model]
    message: Message
    busy: list[Endpoint] = field(default_factory=list)

    def enqueue(self) -> None:
        """Enqueue the lanes' jobs; call it after the rows are written, in their transaction."""
        subject = self.message.subject
        if len(self.busy) > 1:
            lanes.lock([Lane(endpoint.public_id, subject) for endpoint in self.busy])
        for endpoint in self.busy:
            lanes.enqueue(endpoint, subject, request_id=self.message.request_id)


def compose(draft: Draft) -> Outgoing:
    """The rows of a message for ``core.inserts.insert``. The subject is locked, or new."""
    message = Message(
        project=draft.project,
        type=draft.type,
        subject=draft.subject,
        body=frozen(draft.body),
        request_id=draft.request_id,
    )
    outgoing = Outgoing([message], message)
    own = own_endpoint(draft)
    if own is not None and own._state.adding:
        outgoing.rows.append(own)
    for endpoint in _receivers(draft, own):
        outgoing.rows.append(new_delivery(message, endpoint))
        if draft.is_new:
            outgoing.rows.append(
                lanes.new_job(endpoint, draft.subject, request_id=draft.request_id)
            )
        else:
            outgoing.busy.append(endpoint)
    return outgoing


def new_delivery(message: Message, endpoint: Endpoint, *, subject: str = "") -> Delivery:
    """Unsaved delivery; ``subject``: of its lane, if not the message's own."""
    return Delivery(
        project=message.project,
        message=message,
        endpoint=endpoint,
        subject=subject or message.subject,
        type=message.type,
    )


def frozen(body: Mapping[str, Any]) -> str:
    """The JSON text of a body. ``data`` beyond MOST_BYTES is replaced by its id and status, and
    ``dataTruncated`` is set.
    """
    text = _json(body)
    if len(text.encode()) <= MOST_BYTES:
        return text
    kept = {name: body["data"][name] for name in ("id", "status") if name in body.get("data", {})}
    return _json({**body, "data": kept, "dataTruncated": True})


def _json(value: Mapping[str, Any]) -> str:
    return json.dumps(value, separators=(",", ":"))


def own_endpoint(draft: Draft) -> Endpoint | None:
    """The endpoint of the subject's ``webhookUrl``; unsaved at the first message with one."""
    if not draft.own_url:
        return None
    if not draft.is_new:
        found = _own(draft.subject).first()
        if found is not None:
            return found
    return Endpoint(
        project=draft.project,
        kind=EndpointKind.INSTANCE,
        subject=draft.subject,
        url=draft.own_url,
        origin=origin_of(draft.own_url),
    )


def _own(subject: str) -> QuerySet[Endpoint]:
    rows = Endpoint.objects.existing().select_related("project")
    return rows.filter(kind=EndpointKind.INSTANCE, subject=subject)


def origin_of(url: str) -> str:
    """Scheme, host and port of a URL."""
    return receiver_of(url).removesuffix("/…")[:300]


def _receivers(draft: Draft, own: Endpoint | None) -> Sequence[Endpoint]:
    found = Endpoint.objects.receiving(draft.project.pk, draft.subject).select_related("project")
    others = [each for each in found if each.kind != EndpointKind.INSTANCE]
    chosen = [each for each in others if event_types.is_subscribed(each.event_types, draft.type)]
    if (
        own is not None
        and own.is_enabled
        and event_types.is_subscribed(own.event_types, draft.type)
    ):
        chosen.insert(0, own)
    return chosen


def tell(
    type_: str, project: Project, endpoint: Endpoint, data: EndpointFacts, *, now: datetime
) -> Message:
    """Write an operational message about an endpoint, in the caller's transaction, for the
    project's other endpoints. Each has a lane of its own, so that no lock of a job is waited for.
    """
    told = EndpointMessage(type=type_, timestamp=now, endpointId=endpoint.public_id, data=data)
    message = Message(project=project, type=type_, subject="", body=frozen(told.as_json()))
    insert(message)
    found = Endpoint.objects.receiving(project.pk, "").select_related("project")
    others: Iterable[Endpoint] = (each for each in found if each.pk != endpoint.pk)
    for other in others:
        if event_types.is_subscribed(other.event_types, type_):
            send_alone(message, other)
    return message


def send_alone(message: Message, endpoint: Endpoint, *, priority: int | None = None) -> Delivery:
    """Write a delivery with a lane of its own."""
    delivery = new_delivery(message, endpoint, subject=message.public_id)
    job: Job = lanes.new_job(endpoint, message.public_id, request_id=message.request_id)
    if priority is not None:
        job.priority = priority
    insert(delivery, job, wake=CHANNEL)
    return delivery
