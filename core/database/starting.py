"""What is looked at before the service starts: a database that cannot work is refused by name.

A database that is away is no reason: it may come back, and until then requests get a 503.
"""

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core import checks
from django.core.exceptions import ImproperlyConfigured
from django.db import Error, connections

from core.database.failures import Cause, cause_of

_WORKERS_NEED_SESSIONS = (
    "DATABASE_POOLER=transaction: workers keep prepared statements and listen for notifications, "
    "which a connection pooler in transaction mode does not pass on. Give the workers the address "
    "of the server itself, or a pool in session mode with DATABASE_POOLER=session"
)
_MIGRATIONS_NEED_SESSIONS = (
    "DATABASE_POOLER=transaction: migrations set limits for their session, which a connection "
    "pooler in transaction mode gives to others. Run migrate with the address of the server itself"
)
_IS_TRANSACTION_MODE = (
    "DATABASE_POOLER=session, but the connection pooler is in transaction mode: what one session "
    "sets another one sees. Set DATABASE_POOLER=transaction for the web server"
)
_LEAK = "novitai.leak"


def refusal() -> str | None:
    """Why the service cannot be started on this database; None if it can, or if it is away."""
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
    """Django's database check, which ``migrate`` makes before anything else."""
    if not databases:
        return []
    is_pooled = settings.CONFIG.database_pooler == "transaction"
    why = _MIGRATIONS_NEED_SESSIONS if is_pooled else refusal()
    return [checks.Error(why, id="novitai.E001")] if why else []


def _leaks(first: Any) -> bool:
    """Whether a setting of one session is seen in another: a pooler hands out the server's session
    that was used last, so in transaction mode the second client gets the first one's.
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
