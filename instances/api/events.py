"""An event as this API writes it."""

from typing import Any

from instances.clock import iso
from instances.models import InstanceEvent


def event_details(event: InstanceEvent) -> dict[str, Any]:
    """Optional fields are absent rather than null."""
    details: dict[str, Any] = {
        "id": event.public_id,
        "sequence": event.sequence,
        "type": event.type,
        "occurredAt": iso(event.occurred_at),
        "actor": event.actor,
    }
    optional = {
        "fromStatus": event.from_status,
        "toStatus": event.to_status,
        "cause": event.cause,
        "requestId": event.request_id,
        "jobId": event.job_id,
        "data": event.data,
    }
    return details | {name: value for name, value in optional.items() if value}
