"""Sessions of the admin, stored under a hash of the cookie's value.

Django's own store uses the cookie's value itself as the key, so that a reader of the table could
sign in with it. Only the methods that WSGI uses are overridden; the asynchronous ones are not.
"""

import hashlib
from typing import Any

from django.contrib.sessions.backends.db import SessionStore as DatabaseStore
from django.utils import timezone

# Digits of SHA-256 that fit into the column of 40 characters: 160 bits; the key itself has 165.
_HEX_DIGITS = 40


def hashed(session_key: str) -> str:
    return hashlib.sha256(session_key.encode()).hexdigest()[:_HEX_DIGITS]


class SessionStore(DatabaseStore):
    """``session_key`` of the store is the cookie's value; that of the row is its hash."""

    def load(self) -> dict[str, Any]:
        key = self.session_key
        live = self.model.objects.filter(expire_date__gt=timezone.now())
        row = live.filter(session_key=hashed(key)).first() if key else None
        if row is None:
            self._session_key = None
            return {}
        return self.decode(row.session_data)

    def exists(self, session_key: str) -> bool:
        return super().exists(hashed(session_key))

    def create_model_instance(self, data: Any) -> Any:
        row = super().create_model_instance(data)
        row.session_key = hashed(row.session_key)
        return row

    async def acreate_model_instance(self, data: Any) -> Any:
        raise NotImplementedError

    def delete(self, session_key: str | None = None) -> None:
        key = session_key or self.session_key
        if key is not None:
            super().delete(hashed(key))
