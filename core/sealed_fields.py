"""Columns whose values are sealed at rest and plain in memory, opened when they are first used.

Values that an earlier release wrote plainly are read as they are, until ``seal_secrets`` has been
there. An unchanged value is written back as it was sealed, so that it is no change.
"""

import json
from typing import Any

from django.db import models
from django.db.models.query_utils import DeferredAttribute

from core import sealing


class Closed(str):
    """A value as it came from the database."""

    __slots__ = ()


class Opened(str):
    """A text, and what it was opened from."""

    closed: str


class OpensAtFirstUse(DeferredAttribute):
    """Opening takes longer than reading the row, and lists never look at these columns."""

    def __get__(self, instance: Any, cls: Any = None) -> Any:
        value = super().__get__(instance, cls)
        if isinstance(value, Closed):
            value = self.field.opened(value)  # type: ignore[attr-defined]
            instance.__dict__[self.field.attname] = value
        return value

    def __set__(self, instance: Any, value: Any) -> None:
        """Makes it the first that is asked, before the instance's own dictionary."""
        instance.__dict__[self.field.attname] = value


class SealedTextField(models.TextField):  # type: ignore[type-arg]
    """The empty text stays empty, so that it can be looked for; nothing else can be."""

    descriptor_class = OpensAtFirstUse

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Any:
        return Closed(value) if isinstance(value, str) and sealing.is_sealed(value) else value

    def opened(self, value: Closed) -> Opened:
        text = Opened(sealing.unseal(value))
        text.closed = str(value)
        return text

    def get_prep_value(self, value: Any) -> Any:
        if isinstance(value, Closed):
            return str(value)
        if isinstance(value, Opened):
            return value.closed
        if not isinstance(value, str) or not value:
            return super().get_prep_value(value)
        return sealing.seal(value)


class SealedJSONField(models.JSONField):
    """Kept as one JSON string: nothing in it can be looked for."""

    descriptor_class = OpensAtFirstUse

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Any:
        read = super().from_db_value(value, expression, connection)
        return Closed(read) if isinstance(read, str) and sealing.is_sealed(read) else read

    def opened(self, value: Closed) -> Any:
        return json.loads(sealing.unseal(value))

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:
        if isinstance(value, Closed):
            value = str(value)
        elif value is not None and not hasattr(value, "as_sql"):
            value = sealing.seal(json.dumps(value, cls=self.encoder))
        return super().get_db_prep_value(value, connection, prepared)
