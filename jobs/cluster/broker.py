"""The broker of django-q2's pusher process. It sends wakes to the workers and holds no jobs.

Workers claim job rows by themselves (``engine/executor.py``) after a wake. A wake is sent at a
NOTIFY, when the next row becomes due, when a lease lapses, and at least once a second.
"""

import time

import structlog
from django.db import Error, connection
from django_q.brokers import Broker
from django_q.signing import SignedPackage

from jobs import queue
from jobs.engine import shared_memory
from jobs.engine.claim import look_ahead

logger = structlog.get_logger()


class WakeBroker(Broker):
    """The pusher calls ``dequeue`` in a loop; each returned message wakes one worker."""

    longest_wait_seconds = 1.0
    # Longest wait while due rows may wait for a cap: another cluster makes room without a NOTIFY.
    backlog_wait_seconds = 0.1
    reconnect_seconds = 0.5

    def __init__(self, list_key: str | None = None) -> None:
        super().__init__(list_key)
        # The database session on which LISTEN was executed. A new session needs a new LISTEN.
        self._listens_on: object = None
        self._polled_at: float | None = None
        # The content is not used: WakePipe (cluster/overrides.py) sends one word for each message.
        self._wakes = [("wake", SignedPackage.dumps({}))]

    def dequeue(self) -> list[tuple[str, str]]:
        """Wait for a reason, then return a wake; an empty list after a database error. Never
        raises: after an exception the pusher would sleep for ten seconds and end.
        """
        shared_memory.pusher_is_alive()
        try:
            if not self._begins_to_listen():
                self._wait()
        except Error as error:
            logger.warning("broker_waits_for_database", error=str(error))
            connection.close()
            time.sleep(self.reconnect_seconds)
            return []
        return self._wakes

    def _begins_to_listen(self) -> bool:
        """Execute LISTEN if this session has not. Then True: a NOTIFY may have been missed."""
        connection.ensure_connection()
        if self._listens_on is connection.connection:
            return False
        with connection.cursor() as cursor:
            cursor.execute(f"LISTEN {queue.CHANNEL}")
        self._listens_on, self._polled_at = connection.connection, None
        return True

    def _wait(self) -> None:
        """Wait for a NOTIFY or the next due time or lapsed lease; at most ``longest``."""
        outlook = look_ahead(self._polled_at)
        self._polled_at = outlook.at
        if outlook.is_at_cap:
            shared_memory.set_backlog()
        has_backlog = shared_memory.has_backlog()
        longest = self.backlog_wait_seconds if has_backlog else self.longest_wait_seconds
        seconds = longest if outlook.seconds is None else min(longest, outlook.seconds)
        notices = connection.connection.notifies(timeout=max(seconds, 0.001), stop_after=1)
        # ``notifies`` is psycopg's own method: without this, a lost server raises no Django error.
        with connection.wrap_database_errors:
            for _ in notices:
                pass
