"""Log-ins of operators: counted, limited and logged. django-axes keeps the counts.

Each wrong password counts for the user name and for the client address, in the database and so for
all processes. A locked user or address is refused before a password is hashed.
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

# Concurrent hashes per process. A hash takes most of a second of processor time.
PLACES = 1
_places = threading.BoundedSemaphore(PLACES)
_LOG_INS = Counter("novitai_admin_log_ins", "Log-ins of operators by outcome.", ["outcome"])
for _outcome in ("accepted", "wrong", "locked", "busy"):
    _LOG_INS.labels(_outcome)


def user_name(request: HttpRequest, credentials: dict[str, Any] | None = None) -> str | None:
    """The user name for axes and for the log. A name that no user has is replaced by a short keyed
    hash, since people type passwords into the name field by mistake.
    """
    typed = (credentials or request.POST).get("username")
    if not typed:
        return None
    typed = str(typed)[:254]
    users = get_user_model().objects
    if "\0" not in typed and users.filter(username=typed).exists():
        return typed
    key = settings.SECRET_KEY.encode()
    digest = hmac.new(key, typed.encode("utf-8", "replace"), hashlib.sha256).hexdigest()
    return f"unknown-{digest[:12]}"


def address(request: HttpRequest) -> str | None:
    """The client address for axes; None (a Unix socket without an address) is counted as one."""
    found = client_address(request)
    return None if found is None else subscriber(found)


def is_locked(request: HttpRequest) -> bool:
    """Whether this user or address has reached the limit of wrong passwords. Hashes nothing."""
    credentials = {"username": request.POST.get("username")}
    return not AxesProxyHandler.is_allowed(request, credentials)


@contextmanager
def place_for_hashing() -> Iterator[bool]:
    """Take a hashing slot without waiting; yields whether one was free."""
    is_free = _places.acquire(blocking=False)
    try:
        yield is_free
    finally:
        if is_free:
            _places.release()


def note(request: HttpRequest, outcome: str, user: str | None = None) -> None:
    """Log and count one attempt."""
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
    """For Django's signal ``user_login_failed``, also sent for attempts that axes refused."""
    if request is not None and not getattr(request, "is_noted_as_locked", False):
        note(request, "wrong")


def listen() -> None:
    user_logged_in.connect(note_accepted, dispatch_uid="note_accepted")
    user_login_failed.connect(note_failed, dispatch_uid="note_failed")
