"""Sessions of the admin, found by the hash of what the cookie holds.

Django's own table has the cookie's value as its key, so that whoever reads the table is signed in.
Only what serves WSGI is here: the methods for asynchronous views would go past it.
"""

import hashlib
from typing import Any

from django.contrib.sessions.backends.db import SessionStore as DatabaseStore
from django.utils import timezone

# As much of SHA-256 as the column takes: 160 bits, of a key of 165.
_HEX_DIGITS = 40


def hashed(session_key: str) -> str:
    return hashlib.sha256(session_key.encode()).hexdigest()[:_HEX_DIGITS]


class SessionStore(DatabaseStore):
    """``session_key`` is the cookie's; the row's is its hash."""

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
