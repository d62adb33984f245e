"""The messages that go out, described from the receiver's side."""

from typing import Any

from core.answers import Answer
from instances.domain.enums import InstanceStatus
from instances.lifecycle.outbox import WebhookMessage
from webhooks import event_types
from webhooks.messages import EndpointMessage, TestMessage

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
    " Anything but a 2xx is retried for about three days; 410 disables the endpoint."
)
_ENDPOINT = "ep_7d793037a0760186574b0282"
_OTHERS = {event_types.TEST.name: "TestMessage"}
_TEXT = {"type": "string"}
_SCHEMAS = "#/components/schemas/"


def add_webhooks(document: dict[str, Any], details: dict[str, Any] | None) -> None:
    """``details``: an instance as an example, whose status each message changes."""
    message = _schema_of(WebhookMessage)
    # Its parts are in the document already, and drf-spectacular has named the statuses.
    del message["$defs"]
    message["properties"]["status"] = {"$ref": f"{_SCHEMAS}InstanceStatus"}
    schemas = document["components"]["schemas"]
    schemas["WebhookMessage"] = message
    for kind in (EndpointMessage, TestMessage):
        schema = _schema_of(kind)
        schemas |= schema.pop("$defs")
        schemas[kind.__name__] = schema
    document["webhooks"] = {
        each.name: {"post": _operation(each.name, each.description, details)}
        for each in event_types.all_types()
    }


def _schema_of(kind: type[Answer]) -> dict[str, Any]:
    return kind.model_json_schema(mode="serialization", ref_template=f"{_SCHEMAS}{{model}}")


def _operation(name: str, summary: str, details: dict[str, Any] | None) -> dict[str, Any]:
    is_ours = name.startswith(event_types.OPERATIONAL)
    kind = "EndpointMessage" if is_ours else _OTHERS.get(name, "WebhookMessage")
    media: dict[str, Any] = {"schema": {"$ref": f"{_SCHEMAS}{kind}"}}
    if kind != "WebhookMessage":
        media["examples"] = {name: {"summary": summary, "value": _own_example(name)}}
    elif details is not None:
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
            "410": {"description": "Gone: the endpoint is disabled."},
            "default": {"description": "Not received; it is sent again."},
        },
        "security": [],
    }


def _own_example(name: str) -> dict[str, Any]:
    start = {"type": name, "timestamp": "2023-12-01T10:04:30.000Z"}
    if name == event_types.TEST.name:
        return {**start, "data": {"endpointId": _ENDPOINT, "text": "This is a test message."}}
    facts = {"id": _ENDPOINT, "receiver": "https://myapp.com"}
    return {**start, "endpointId": _ENDPOINT, "data": facts}


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
