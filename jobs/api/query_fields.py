"""Fields of query parameters that say in plain words what they take."""

from typing import Any, NoReturn

from rest_framework import serializers

_TEXT: dict[str, Any] = {
    "invalid": "must be text",
    "blank": "must not be empty",
    "max_length": "must be at most {max_length} characters",
}


class Text(serializers.CharField):
    """Some text."""

    default_error_messages = _TEXT


class OneOf(serializers.ChoiceField):
    """One of some words."""

    default_error_messages = {"invalid_choice": "must be one of: {known}"}

    def fail(self, key: str, **kwargs: Any) -> NoReturn:
        super().fail(key, known=", ".join(map(str, self.choices)), **kwargs)


class Several(serializers.ListField):
    """What may be given more than once."""

    default_error_messages = {"max_length": "may be given at most {max_length} times"}


class Number(serializers.IntegerField):
    """An integer between two bounds."""

    def __init__(self, *, min_value: int, max_value: int, **kwargs: Any) -> None:
        told: Any = dict.fromkeys(
            ("invalid", "max_string_length", "min_value", "max_value"),
            f"must be an integer between {min_value} and {max_value}",
        )
        super().__init__(min_value=min_value, max_value=max_value, error_messages=told, **kwargs)
