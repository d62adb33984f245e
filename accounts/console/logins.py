"""Log-ins of operators: counted, limited and written down; django-axes keeps the counts.

Each wrong password counts for the user's name and for the address that it came from, in the
database, so for all processes. Who has used up either is refused before a password is hashed.
"""

import hashlib
import hmac
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import structlog
from axes.handlers.proxy import AxesProxyHandler
from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.signals import user_logged_in, user_login_failed
from django.http import HttpRequest
from prometheus_client import Counter

from core.client_addresses import client_address, subscriber

logger = structlog.get_logger(__name__)

# A hash takes most of a second of a processor: so many at a time in each process, and not more.
PLACES = 1
_places = threading.BoundedSemaphore(PLACES)
_LOG_INS = Counter("novitai_admin_log_ins", "Log-ins of operators by outcome.", ["outcome"])
for _outcome in ("accepted", "wrong", "locked", "busy"):
    _LOG_INS.labels(_outcome)


def user_name(request: HttpRequest, credentials: dict[str, Any] | None = None) -> str | None:
    """What axes counts by and what stands in the log: the name of a user that there is, or a mark
    of any other word. People type passwords into that box.
    """
    typed = (credentials or request.POST).get("username")
    if not typed:
        return None
    typed = str(typed)[:254]
    users = get_user_model().objects
    if "\0" not in typed and users.filter(username=typed).exists():
        return typed
    key = settings.SECRET_KEY.encode()
    mark = hmac.new(key, typed.encode("utf-8", "replace"), hashlib.sha256).hexdigest()
    return f"unknown-{mark[:12]}"


def address(request: HttpRequest) -> str | None:
    """What axes counts by: None counts for all that come without an address."""
    found = client_address(request)
    return None if found is None else subscriber(found)


def is_locked(request: HttpRequest) -> bool:
    """Whether this user or address has used up its wrong passwords. Costs no hash."""
    credentials = {"username": request.POST.get("username")}
    return not AxesProxyHandler.is_allowed(request, credentials)


@contextmanager
def place_for_hashing() -> Iterator[bool]:
    """Whether the thread may hash now; nobody waits for a place."""
    is_free = _places.acquire(blocking=False)
    try:
        yield is_free
    finally:
        if is_free:
            _places.release()


def note(request: HttpRequest, outcome: str, user: str | None = None) -> None:
    """One line and one count for each attempt."""
    _LOG_INS.labels(outcome).inc()
    log = logger.info if outcome == "accepted" else logger.warning
    log(
        "admin_log_in",
        outcome=outcome,
        user=user or user_name(request),
        address=str(client_address(request) or ""),
    )


def note_accepted(sender: Any, request: HttpRequest, user: Any, **signal: Any) -> None:
    """For Django's signal ``user_logged_in``."""
    note(request, "accepted", user.get_username())


def note_failed(sender: Any, request: HttpRequest | None = None, **signal: Any) -> None:
    """For Django's signal ``user_login_failed``: also sent for one that axes held back."""
    if request is not None and not getattr(request, "is_noted_as_locked", False):
        note(request, "wrong")


def listen() -> None:
    user_logged_in.connect(note_accepted, dispatch_uid="note_accepted")
    user_login_failed.connect(note_failed, dispatch_uid="note_failed")
