"""Client of Celery's queue in Redis."""

import time
from typing import Any

import psycopg
import redis

from devtools.benchmarks.competitors import effects, site
from devtools.benchmarks.competitors.celery.app import app

_POLLS = 5
_POLL_SECONDS = 0.003


class CeleryClient:
    """See Client."""

    def __init__(self) -> None:
        self._redis: Any = redis.Redis(unix_socket_path=site.redis_socket())

    def prepare(self) -> None:
        with psycopg.connect(site.database(), autocommit=True) as connection:
            connection.execute(effects.TABLE)

    def clear(self) -> None:
        app.control.purge()
        self._redis.delete("unacked", "unacked_index")
        with psycopg.connect(site.database(), autocommit=True) as connection:
            connection.execute(effects.EMPTY)

    def fill(self, task: str, count: int) -> None:
        self.enqueue_many(task, count)

    def enqueue(self, task: str, number: int) -> None:
        app.send_task(task, [number])

    def enqueue_many(self, task: str, count: int) -> None:
        """Celery has no bulk call; with one producer, not every call takes a connection."""
        with app.producer_pool.acquire(block=True) as producer:
            for number in range(count):
                app.send_task(task, [number], producer=producer)

    def is_drained(self, task: str) -> bool:
        """True if empty several times: a message on its way is neither queued nor unacked."""
        for _ in range(_POLLS):
            if not self._is_empty():
                return False
            time.sleep(_POLL_SECONDS)
        return True

    def _is_empty(self) -> bool:
        pipeline = self._redis.pipeline()
        pipeline.llen("celery")
        pipeline.hlen("unacked")
        return bool(sum(pipeline.execute()) == 0)
