"""The broker that django-q2's pusher process asks for work: it only says when to look for some.

It holds no work. Workers claim job rows by themselves (``engine/executor.py``) when they are woken:
at a NOTIFY, when the next row becomes due, when a lease lapses, and once a second in any case.
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
    """``dequeue`` is called over and over; each of its messages wakes one worker."""

    longest_wait_seconds = 1.0
    # While due rows may wait for room that another cluster makes.
    backlog_wait_seconds = 0.1
    reconnect_seconds = 0.5

    def __init__(self, list_key: str | None = None) -> None:
        super().__init__(list_key)
        # The session that listens: another one in its place hears nothing.
        self._listens_on: object = None
        self._looked_at: float | None = None
        # Its content does not matter: cluster/overrides.py carries it as one word.
        self._wakes = [("wake", SignedPackage.dumps({}))]

    def dequeue(self) -> list[tuple[str, str]]:
        """A wake, after waiting for a reason. Never raises: the pusher would sleep for ten seconds
        and end.
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
        """Whether it did not listen until now: what became due before is then to be looked for."""
        connection.ensure_connection()
        if self._listens_on is connection.connection:
            return False
        with connection.cursor() as cursor:
            cursor.execute(f"LISTEN {queue.CHANNEL}")
        self._listens_on, self._looked_at = connection.connection, None
        return True

    def _wait(self) -> None:
        """Until a NOTIFY, the next due time or lapsed lease, or a second has passed."""
        outlook = look_ahead(self._looked_at)
        self._looked_at = outlook.at
        if outlook.is_at_cap:
            shared_memory.set_backlog()
        has_backlog = shared_memory.has_backlog()
        longest = self.backlog_wait_seconds if has_backlog else self.longest_wait_seconds
        seconds = longest if outlook.seconds is None else min(longest, outlook.seconds)
        notices = connection.connection.notifies(timeout=max(seconds, 0.001), stop_after=1)
        # This is psycopg's own call: unwrapped, a lost server would be no error that Django knows.
        with connection.wrap_database_errors:
            for _ in notices:
                pass
