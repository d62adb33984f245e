"""The Celery application and its tasks."""

import os
import time
from typing import Any

import psycopg
from celery import Celery

from devtools.benchmarks.competitors import effects, site
from devtools.benchmarks.markers import put_marker, release_file

app = Celery("bench", broker=f"redis+socket://{site.redis_socket()}")
app.conf.update(
    task_ignore_result=True,
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    worker_prefetch_multiplier=64,
    worker_hijack_root_logger=False,
    broker_connection_retry_on_startup=True,
    broker_transport_options={
        # Celery's default is an hour.
        "visibility_timeout": int(os.environ.get("BENCH_RETRY", "3600")),
        # Look for visible messages every second; with the defaults, every 100 seconds.
        "unacked_restore_interval": 1,
        "unacked_restore_throttle": 1,
    },
)

_connections: list[Any] = []


@app.task(name="noop")
def noop(_: int) -> None:
    """Does nothing."""


@app.task(name="commit")
def commit(number: int) -> None:
    """Each process of the pool has one connection, opened by its first task."""
    if not _connections:
        _connections.append(psycopg.connect(site.database(), autocommit=True))
    _connections[0].execute(effects.INSERT, [number])


@app.task(name="mark")
def mark(number: int) -> None:
    """Record the start."""
    put_marker([number])


@app.task(name="hang")
def hang(number: int) -> None:
    """Record the start, and hang until released."""
    put_marker([number])
    while not release_file().exists():
        time.sleep(0.2)
