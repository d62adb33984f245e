"""Model fields that are encrypted ("sealed") in the database and decrypted at their first use.

Values that an earlier release stored unencrypted can be read until the job ``seal_secrets`` has
encrypted them. An unchanged value is written back with the same ciphertext.
"""

import json
from typing import Any

from django.db import models
from django.db.models.query_utils import DeferredAttribute

from core import sealing


class Closed(str):
    """The stored, still encrypted value."""

    __slots__ = ()


class Opened(str):
    """A decrypted text with the ciphertext that it came from."""

    closed: str


class OpensAtFirstUse(DeferredAttribute):
    """Decrypts at the first access, since it takes longer than reading the row."""

    def __get__(self, instance: Any, cls: Any = None) -> Any:
        value = super().__get__(instance, cls)
        if isinstance(value, Closed):
            value = self.field.opened(value)  # type: ignore[attr-defined]
            instance.__dict__[self.field.attname] = value
        return value

    def __set__(self, instance: Any, value: Any) -> None:
        """Makes this a data descriptor, which has priority over the instance's ``__dict__``."""
        instance.__dict__[self.field.attname] = value


class SealedTextField(models.TextField):  # type: ignore[type-arg]
    """An encrypted text. The empty text is stored as it is, so queries can filter by it only."""

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
    """Encrypted JSON, stored as one JSON string; queries cannot filter by its content."""

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
