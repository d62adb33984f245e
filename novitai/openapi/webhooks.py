"""The messages that go out, described from the receiver's side."""

from typing import Any

from instances.domain.enums import InstanceStatus
from instances.lifecycle.message_types import EVENT_TYPES
from instances.lifecycle.outbox import WebhookMessage

_TYPES = {each.name: each.description for each in EVENT_TYPES}
_STATUSES = {
    "instance.gone": "failed",
    "instance.reappeared": "failed",
    "instance.ending_held_up": "terminating",
}
_SIGNING = {
    "webhook-id": "The same on every retry: drop what you have seen.",
    "webhook-timestamp": "Of this attempt, Unix seconds. Refuse what is older than five minutes.",
    "webhook-signature": "`v1,` and the base64 of the HMAC-SHA256 over `id.timestamp.body`, by the"
    " bytes behind `whsec_` of the signing secret; several, separated by spaces, while a secret is"
    " being replaced.",
}
_DESCRIPTION = (
    "Verify the signature over the raw bytes before anything else, answer with a 2xx within 15"
    " seconds, and do the work afterwards. Messages of one instance come in order, at least once."
    " Anything but a 2xx is retried for about 28 hours; 410 ends the message."
)
_TEXT = {"type": "string"}
_SCHEMAS = "#/components/schemas/"


def add_webhooks(document: dict[str, Any], details: dict[str, Any] | None) -> None:
    """``details``: an instance as an example, whose status each message changes."""
    message = WebhookMessage.model_json_schema(
        mode="serialization", ref_template=f"{_SCHEMAS}{{model}}"
    )
    # Its parts are in the document already, and drf-spectacular has named the statuses.
    del message["$defs"]
    message["properties"]["status"] = {"$ref": f"{_SCHEMAS}InstanceStatus"}
    document["components"]["schemas"]["WebhookMessage"] = message
    document["webhooks"] = {
        name: {"post": _operation(name, summary, details)} for name, summary in _TYPES.items()
    }


def _operation(name: str, summary: str, details: dict[str, Any] | None) -> dict[str, Any]:
    media: dict[str, Any] = {"schema": {"$ref": f"{_SCHEMAS}WebhookMessage"}}
    if details is not None:
        media["examples"] = {name: {"summary": summary, "value": _example(name, details)}}
    return {
        "operationId": f"on{''.join(part.title() for part in name.replace('_', '.').split('.'))}",
        "summary": summary,
        "description": _DESCRIPTION,
        "tags": ["Webhooks"],
        "parameters": [
            {"name": header, "in": "header", "required": True, "description": text, "schema": _TEXT}
            for header, text in _SIGNING.items()
        ],
        "requestBody": {"required": True, "content": {"application/json": media}},
        "responses": {
            "2XX": {"description": "Received; it is not sent again."},
            "410": {"description": "Nobody wants this message; it is given up."},
            "default": {"description": "Not received; it is sent again."},
        },
        "security": [],
    }


def _example(name: str, details: dict[str, Any]) -> dict[str, Any]:
    status = name.removeprefix("instance.")
    if status not in InstanceStatus.values:
        status = _STATUSES.get(name, "running")
    message = {
        "type": name,
        "timestamp": "2023-12-01T10:04:30.000Z",
        "eventId": "evt_3b0c44298fc1c149afbf4c89",
        "sequence": 3,
        "instanceId": details["id"],
        "status": status,
        "elapsedTime": 270000,
        "data": {**details, "status": status},
    }
    if status == "failed":
        error = {"code": "STARTUP_FAILED", "message": "The container does not start."}
        message |= {
            "error": error["message"],
            "data": {**details, "status": status, "error": error},
        }
    return message
