"""Fields of request bodies that take JSON at its word: ``"2"`` is no integer, ``5`` no string."""

import re
from collections.abc import Callable, Collection
from typing import Any, NoReturn

from django.conf import settings
from drf_spectacular.drainage import set_override
from rest_framework import serializers

from egress.webhooks.urls import MAX_LENGTH, WebhookUrlError, check_webhook_url

# RFC 8259, section 6: integers beyond this do not survive every JSON parser.
MAX_SAFE_INTEGER = 2**53 - 1
CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
# Neither blank nor with any of these, as the OpenAPI document says it.
TEXT_TOLD = r"^{0}*[^\s{1}]{0}*$".format(
    r"[^\u0000-\u001f\u007f-\u009f\u2028\u2029]", r"\u0000-\u001f\u007f-\u009f\u2028\u2029"
)


def is_integer(value: Any) -> bool:
    """Whether JSON Schema calls it an integer: 2.0 is one, True and 10^30 are none."""
    is_whole = type(value) is int or (type(value) is float and value.is_integer())
    return is_whole and abs(value) <= MAX_SAFE_INTEGER


class StrictField(serializers.Field[Any, Any, Any, Any]):
    """One message per broken rule, the first one; ``label`` names the field in all of them.

    ``schema`` is what the OpenAPI document says of the value.
    """

    default_error_messages = {
        "required": "{label} is required",
        "null": "{label} must not be null",
    }

    def __init__(self, *, schema: dict[str, Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        told = {"description": str(self.help_text)} if self.help_text else {}
        set_override(self, "field", {**schema, **told})

    def fail(self, key: str, **kwargs: Any) -> NoReturn:
        super().fail(key, label=self.label, **kwargs)

    def to_representation(self, value: Any) -> Any:
        return value


class TextField(StrictField):
    """A string of bounded length without control characters, matching ``pattern`` to its end."""

    default_error_messages = {
        "type": "{label} must be a string",
        "blank": "{label} is required",
        "max_length": "{label} must be at most {max_length} characters",
        "pattern": "{label} has the wrong form",
        "control": "{label} must not contain control characters",
    }

    def __init__(
        self, *, max_length: int, pattern: re.Pattern[str] | None = None, **kwargs: Any
    ) -> None:
        self.max_length = max_length
        self.pattern = pattern
        schema: dict[str, Any] = {"type": "string", "minLength": 1, "maxLength": max_length}
        schema["pattern"] = f"^{pattern.pattern}$" if pattern is not None else TEXT_TOLD
        super().__init__(schema=schema, **kwargs)

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("type")
        if not data:
            self.fail("blank")
        if len(data) > self.max_length:
            self.fail("max_length", max_length=self.max_length)
        if self.pattern is not None and not self.pattern.fullmatch(data):
            self.fail("pattern")
        if CONTROL.search(data):
            self.fail("control")
        if not data.strip():
            self.fail("blank")
        return data


class IntegerField(StrictField):
    """An integer between two bounds, ``unit`` being what it counts."""

    default_error_messages = {
        "type": "{label} must be an integer",
        "min_value": "{label} must be at least {bound}",
        "max_value": "{label} must be at most {bound}",
    }

    def __init__(self, *, min_value: int, max_value: int, unit: str = "", **kwargs: Any) -> None:
        self.bounds = min_value, max_value
        self.unit = f" {unit}" if unit else ""
        schema = {"type": "integer", "minimum": min_value, "maximum": max_value}
        super().__init__(schema=schema, **kwargs)

    def to_internal_value(self, data: Any) -> int:
        low, high = self.bounds
        if not is_integer(data):
            self.fail("type")
        if data < low:
            self.fail("min_value", bound=f"{low}{self.unit}")
        if data > high:
            self.fail("max_value", bound=f"{high}{self.unit}")
        return int(data)


class OneOfField(StrictField):
    """One of the given words, spelled exactly; the message lists them.

    ``choices`` is asked anew for every request: what is configured is known only then.
    """

    default_error_messages = {"choice": "{label} must be one of: {choices}"}

    def __init__(self, *, choices: Callable[[], Collection[str]], **kwargs: Any) -> None:
        self.choices = choices
        super().__init__(schema={"type": "string", "enum": list(choices())}, **kwargs)

    def to_internal_value(self, data: Any) -> str:
        choices = self.choices()
        if not isinstance(data, str) or data not in choices:
            self.fail("choice", choices=", ".join(choices))
        return data


class WebhookUrlField(StrictField):
    """An http(s) address that messages can be sent to; one that may hold a secret is not echoed."""

    default_error_messages = {"type": "{label} must be a string"}

    def __init__(self, **kwargs: Any) -> None:
        told = {"type": "string", "format": "uri", "pattern": "^https?://"}
        super().__init__(schema={**told, "maxLength": MAX_LENGTH}, **kwargs)

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            raise serializers.ValidationError(f"{self.label} must be a string", code="not_echoed")
        try:
            check_webhook_url(data)
        except WebhookUrlError as error:
            code = "not_echoed" if error.holds_secret else "invalid"
            raise serializers.ValidationError(str(error), code=code) from None
        if settings.CONFIG.are_webhooks_https_only and not data.lower().startswith("https:"):
            raise serializers.ValidationError(
                "Webhook URL must begin with https://", code="not_echoed"
            )
        return data


class BooleanField(StrictField):
    """true or false."""

    default_error_messages = {"type": "{label} must be true or false"}

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(schema={"type": "boolean"}, **kwargs)

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("type")
        return bool(data)


class WordsField(StrictField):
    """A list of known words, each once; ``choices`` is asked anew for every request."""

    default_error_messages = {
        "type": "{label} must be a list of strings",
        "choice": "{label} holds a word that is none of: {choices}",
    }

    def __init__(self, *, choices: Callable[[], Collection[str]], **kwargs: Any) -> None:
        self.choices = choices
        words = {"type": "string", "enum": sorted(choices())}
        schema = {"type": "array", "items": words, "maxItems": 100}
        super().__init__(schema=schema, **kwargs)

    def to_internal_value(self, data: Any) -> list[str]:
        if not isinstance(data, list) or len(data) > 100:
            self.fail("type")
        if not all(isinstance(each, str) for each in data):
            self.fail("type")
        choices = self.choices()
        if any(each not in choices for each in data):
            self.fail("choice", choices=", ".join(sorted(choices)))
        return list(dict.fromkeys(data))
