"""The one connection of a process that hears of new events."""

import threading
from collections.abc import Callable

import structlog
from django.conf import settings
from django.db import Error, connection

logger = structlog.get_logger(__name__)

# Named by the trigger that notifies (migration 0008); the payload is the project's number.
CHANNEL = "novitai_events"
_PAUSE_SECONDS = 1.0
# How soon it sees that it should stop, and how many of these quiet ones make it ask after the
# server: a lost one says nothing.
_QUIET_SECONDS = 1.0
_QUIET_ROUNDS = 15

# The projects with something new; None: perhaps all.
OnNews = Callable[[set[int] | None], None]


class Listener(threading.Thread):
    """Calls ``on_news`` from its own thread. While it cannot listen, it calls every second: those
    who wait then look for themselves.
    """

    def __init__(self, on_news: OnNews) -> None:
        super().__init__(name="events-listener", daemon=True)
        self._on_news = on_news
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
            # Notifications are for sessions, and behind such a pooler there is none.
            self._on_news(None)
            self._is_over.wait(_PAUSE_SECONDS)
            return
        try:
            with connection.cursor() as cursor:
                cursor.execute(f"LISTEN {CHANNEL}")
            # What was said before that was heard by nobody.
            self._on_news(None)
            while not self._is_over.is_set():
                self._hear()
        except Error as error:
            logger.warning("events_not_heard", error=type(error).__name__)
            connection.close()
            self._on_news(None)
            self._is_over.wait(_PAUSE_SECONDS)

    def _hear(self) -> None:
        for _ in range(_QUIET_ROUNDS):
            with connection.wrap_database_errors:
                notices = connection.connection.notifies(timeout=_QUIET_SECONDS, stop_after=1)
                projects = {int(notice.payload) for notice in notices if notice.payload.isdecimal()}
            if projects:
                self._on_news(projects)
            if self._is_over.is_set():
                return
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
