"""What callers may send about webhooks."""

from typing import Any

from rest_framework import serializers

from core.query_fields import Moment
from core.request_bodies import StrictSerializer
from core.request_fields import (
    BooleanField,
    IntegerField,
    OneOfField,
    StrictField,
    TextField,
    WebhookUrlField,
    WordsField,
)
from egress.webhooks.headers import (
    MOST_HEADERS,
    MOST_VALUE,
    NAME_PATTERN,
    VALUE_PATTERN,
    HeaderError,
    check_headers,
)
from webhooks import event_types
from webhooks.models import BacklogPolicy, Signature
from webhooks.services.endpoints import EndpointSpec
from webhooks.services.replays import Range

MOST_HOURS = 30 * 24


def type_names() -> list[str]:
    return [each.name for each in event_types.all_types()]


class HeadersField(StrictField):
    """Headers to send with every message; never shown again."""

    def __init__(self, **kwargs: Any) -> None:
        schema = {
            "type": "object",
            "propertyNames": {"pattern": f"^{NAME_PATTERN}$"},
            "additionalProperties": {
                "type": "string",
                "maxLength": MOST_VALUE,
                "pattern": f"^{VALUE_PATTERN}$",
            },
            "maxProperties": MOST_HEADERS,
        }
        super().__init__(schema=schema, **kwargs)

    def to_internal_value(self, data: Any) -> dict[str, str]:
        if not isinstance(data, dict):
            raise serializers.ValidationError("Headers must be an object", code="not_echoed")
        if not all(isinstance(each, str) for each in data.values()):
            raise serializers.ValidationError("Header values must be strings", code="not_echoed")
        try:
            check_headers(data)
        except HeaderError as error:
            raise serializers.ValidationError(str(error), code="not_echoed") from None
        # Names are the same in any case; the last one counts.
        last = {name.lower(): name for name in data}
        return {name: data[name] for name in last.values()}


class BasicAuthField(StrictField):
    """User and password; never shown again."""

    _MESSAGE = "Basic auth must be an object with username and password, without control characters"

    def __init__(self, **kwargs: Any) -> None:
        text = {"type": "string", "maxLength": 255}
        user = {**text, "pattern": "^[^:\\u0000-\\u001f\\u007f]*$"}
        password = {**text, "pattern": "^[^\\u0000-\\u001f\\u007f]*$"}
        schema = {
            "type": "object",
            "properties": {"username": user, "password": password},
            "required": ["username", "password"],
            "additionalProperties": False,
        }
        super().__init__(schema=schema, **kwargs)

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, dict) or set(data) != {"username", "password"}:
            self._refuse()
        user, password = data["username"], data["password"]
        for text in (user, password):
            if not isinstance(text, str) or len(text) > 255 or not _is_sendable(text):
                self._refuse()
        if ":" in user:
            self._refuse()
        return f"{user}:{password}"

    def _refuse(self) -> None:
        raise serializers.ValidationError(self._MESSAGE, code="not_echoed")


def _is_sendable(text: str) -> bool:
    return all(" " <= each != "\x7f" and not "\ud800" <= each <= "\udfff" for each in text)


class _Endpoint(StrictSerializer):
    """Fields that a new endpoint and a change have in common."""

    eventTypes = WordsField(
        label="Event types",
        source="event_types",
        choices=type_names,
        required=False,
        help_text="Empty or absent: all, without those that must be subscribed by name.",
    )
    description = TextField(label="Description", max_length=300, required=False)
    headers = HeadersField(
        label="Headers", required=False, help_text="Sent with every message; never shown again."
    )
    onBacklog = OneOfField(
        label="On backlog",
        source="on_backlog",
        choices=lambda: BacklogPolicy.values,
        required=False,
        help_text="all: every message in order. latest: once the receiver is back, only the newest "
        "message of each instance; older ones are skipped and can be replayed.",
    )
    enabled = BooleanField(label="Enabled", source="is_enabled", required=False)


class CreateEndpoint(_Endpoint):
    """A new endpoint."""

    url = WebhookUrlField(label="URL", help_text="Gets a POST with each message.")
    instanceId = TextField(
        label="Instance ID",
        source="subject",
        max_length=80,
        required=False,
        help_text="Only messages about this instance.",
    )
    basicAuth = BasicAuthField(
        label="Basic auth", source="basic_auth", required=False, help_text="Never shown again."
    )
    signature = OneOfField(
        label="Signature",
        choices=lambda: Signature.values,
        required=False,
        help_text="v1: HMAC-SHA256 with a shared secret; v1a: ed25519 with a public key.",
    )

    @classmethod
    def spec(cls, data: Any) -> EndpointSpec:
        """Raises ValidationError."""
        return EndpointSpec(cls.read(data))


class UpdateEndpoint(_Endpoint):
    """A merge patch (RFC 7396): what is not named stays."""

    null_is_absent = False

    url = WebhookUrlField(label="URL", required=False)
    description = TextField(label="Description", max_length=300, required=False, allow_null=True)
    headers = HeadersField(label="Headers", required=False, allow_null=True)
    basicAuth = BasicAuthField(
        label="Basic auth", source="basic_auth", required=False, allow_null=True
    )

    @classmethod
    def spec(cls, data: Any) -> EndpointSpec:
        """Raises ValidationError."""
        fields = cls.read(data)
        empty: dict[str, Any] = {"description": "", "headers": {}, "basic_auth": ""}
        return EndpointSpec(
            {
                name: empty.get(name, value) if value is None else value
                for name, value in fields.items()
            }
        )


class RotateSecret(StrictSerializer):
    """How long the former secret signs too."""

    overlapHours = IntegerField(
        label="Overlap", source="hours", min_value=0, max_value=MOST_HOURS, unit="hours", default=24
    )


class StartReplay(StrictSerializer):
    """Which messages are sent again."""

    since = Moment(help_text="messages from this time on, ISO 8601")
    until = Moment(required=False, help_text="and before this time; now if absent")
    types = WordsField(label="Types", choices=type_names, required=False)
    instanceId = TextField(label="Instance ID", max_length=80, required=False)
    onlyFailed = BooleanField(
        label="Only failed",
        required=False,
        help_text="only messages that failed, were skipped or were cancelled",
    )

    @classmethod
    def range(cls, data: Any) -> Range:
        """Raises ValidationError."""
        given = cls.read(data)
        return Range(
            since=given["since"],
            until=given.get("until"),
            types=tuple(given.get("types", ())),
            subject=given.get("instanceId", ""),
            only_failed=given.get("onlyFailed", False),
        )
