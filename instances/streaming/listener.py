"""Listens on Postgres for new events, on one connection for each process."""

import threading
from collections.abc import Callable

import structlog
from django.conf import settings
from django.db import Error, connection

logger = structlog.get_logger(__name__)

# Channel of the trigger (migration 0008); the payload is the project's primary key.
CHANNEL = "novitai_events"
_PAUSE_SECONDS = 1.0
# Seconds between checks for a stop, and number of checks without an event after which the
# connection is tested: a lost one shows no error.
_QUIET_SECONDS = 1.0
_QUIET_ROUNDS = 15

# Argument: projects with new events; None: perhaps all.
OnEvents = Callable[[set[int] | None], None]


class Listener(threading.Thread):
    """Calls ``on_events`` in its own thread.

    While it cannot listen, it calls it every second with None, so that clients are served by
    polling.
    """

    def __init__(self, on_events: OnEvents) -> None:
        super().__init__(name="events-listener", daemon=True)
        self._on_events = on_events
        self._is_over = threading.Event()

    def stop(self) -> None:
        self._is_over.set()

    def run(self) -> None:
        try:
            while not self._is_over.is_set():
                self._listen_until_lost()
        finally:
            connection.close()

    def _listen_until_lost(self) -> None:
        if settings.CONFIG.database_pooler == "transaction":
            # LISTEN needs a session, which a pooler in transaction mode does not give.
            self._on_events(None)
            self._is_over.wait(_PAUSE_SECONDS)
            return
        try:
            with connection.cursor() as cursor:
                cursor.execute(f"LISTEN {CHANNEL}")
            # Events before the LISTEN were not notified.
            self._on_events(None)
            while not self._is_over.is_set():
                self._hear()
        except Error as error:
            logger.warning("events_not_heard", error=type(error).__name__)
            connection.close()
            self._on_events(None)
            self._is_over.wait(_PAUSE_SECONDS)

    def _hear(self) -> None:
        for _ in range(_QUIET_ROUNDS):
            with connection.wrap_database_errors:
                notices = connection.connection.notifies(timeout=_QUIET_SECONDS, stop_after=1)
                projects = {int(notice.payload) for notice in notices if notice.payload.isdecimal()}
            if projects:
                self._on_events(projects)
            if self._is_over.is_set():
                return
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
