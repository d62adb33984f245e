"""Checks of the database before the service starts; an unusable configuration stops the start.

A database that cannot be reached does not stop the start: until it is back, requests get a 503.
"""

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core import checks
from django.core.exceptions import ImproperlyConfigured
from django.db import Error, connections

from core.database.failures import Cause, cause_of

_WORKERS_NEED_SESSIONS = (
    "DATABASE_POOLER=transaction: workers need prepared statements and LISTEN, which a connection "
    "pooler in transaction mode does not support. In the DATABASE_URL of the workers use the "
    "address of the server itself, or of a pool in session mode with DATABASE_POOLER=session"
)
_MIGRATIONS_NEED_SESSIONS = (
    "DATABASE_POOLER=transaction: migrations set time limits for their session, and a connection "
    "pooler in transaction mode would apply them to other sessions. Run migrate with the address "
    "of the server itself in DATABASE_URL"
)
_IS_TRANSACTION_MODE = (
    "DATABASE_POOLER=session, but the connection pooler is in transaction mode: settings of one "
    "session reach others. Set DATABASE_POOLER=transaction for the web server"
)
_LEAK = "novitai.leak"


def refusal() -> str | None:
    """Why the service cannot be started on this database; None if it can, or if the database
    cannot be reached.
    """
    wrapper = connections.create_connection("default")
    try:
        wrapper.ensure_connection()
        if settings.CONFIG.database_pooler == "session" and _leaks(wrapper):
            return _IS_TRANSACTION_MODE
    except Error as error:
        if cause_of(error) in (Cause.POOLER, Cause.UNSUITABLE):
            return f"DATABASE_URL: {' '.join(str(error).split())}"
    finally:
        wrapper.close()
    return None


def refuse_for_web() -> None:
    """Raises ImproperlyConfigured."""
    if (why := refusal()) is not None:
        raise ImproperlyConfigured(why)


def refuse_for_workers(**_: Any) -> None:
    """For the signal ``cluster_starting``. Raises ImproperlyConfigured."""
    if settings.CONFIG.database_pooler == "transaction":
        raise ImproperlyConfigured(_WORKERS_NEED_SESSIONS)
    refuse_for_web()


def check_database(
    *, databases: Sequence[str] | None = None, **_: Any
) -> list[checks.CheckMessage]:
    """A Django database check, which ``migrate`` runs first."""
    if not databases:
        return []
    is_pooled = settings.CONFIG.database_pooler == "transaction"
    why = _MIGRATIONS_NEED_SESSIONS if is_pooled else refusal()
    return [checks.Error(why, id="novitai.E001")] if why else []


def _leaks(first: Any) -> bool:
    """Whether a setting of one session is visible in another one. A pooler in transaction mode
    gives the most recently used server session to the next client.
    """
    second = connections.create_connection("default")
    try:
        second.ensure_connection()
        with first.cursor() as cursor:
            cursor.execute("SELECT set_config(%s, '1', false)", [_LEAK])
        with second.cursor() as cursor:
            cursor.execute("SELECT coalesce(current_setting(%s, true), '')", [_LEAK])
            (seen,) = cursor.fetchone()
        return bool(seen)
    finally:
        second.close()
