"""Job types that the tests register; the service's own are put back afterwards."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection

from jobs.cluster.overrides import WakePipe
from jobs.engine import shared_memory
from jobs.handler import JobType, register_type
from tests.support.engine import ScriptedHandler

Register = Callable[..., ScriptedHandler]


@pytest.fixture
def register(monkeypatch: pytest.MonkeyPatch) -> Register:
    """Register a type by name; only types registered in the test exist."""
    monkeypatch.setattr("jobs.handler._types", {})

    def register(
        name: str = "noop", handler: ScriptedHandler | None = None, **fields: Any
    ) -> ScriptedHandler:
        handler = handler or ScriptedHandler()
        register_type(JobType(name, handler, **fields))
        return handler

    return register


@pytest.fixture
def cluster() -> Iterator[None]:
    """What the processes of a cluster share, as if one had just begun."""
    shared_memory.begin()
    yield
    shared_memory.begin()
    shared_memory.set_stopping(False)


@pytest.fixture
def kept_connection(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """The test's transaction is the connection's: closing it would undo what the test looks at."""
    marker = request.node.get_closest_marker("django_db")
    if not marker.kwargs.get("transaction"):
        monkeypatch.setattr("jobs.engine.completer.connection.close", lambda: None)


def on_own_connection(work: Callable[[], Any]) -> Any:
    """In a thread: its connection is closed afterwards, as Django does at the end of a request."""
    try:
        return work()
    finally:
        connection.close()


def until(condition: Callable[[], Any], *, seconds: float = 20) -> None:
    """Wait for what another thread does."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.002)


def in_thread(work: Callable[[], Any]) -> Any:
    """The result of ``work`` on a connection of its own, which is closed afterwards."""
    return in_threads(work, 1)[0]


def in_threads(work: Callable[[], Any], count: int) -> list[Any]:
    """The results of ``work`` in as many threads at once, each with its own connection."""
    results: list[Any] = []

    def target() -> None:
        results.append(on_own_connection(work))

    threads = [threading.Thread(target=target, daemon=True) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=20)
    assert len(results) == count, "a thread failed or hangs"
    return results


def in_a_child(work: object) -> None:
    """Do it in a process that was forked from this one, as the cluster's are."""
    pid = os.fork()
    if pid == 0:
        try:
            work()  # type: ignore[operator]
        finally:
            os._exit(0)
    os.waitpid(pid, 0)


def close(*pipes: WakePipe) -> None:
    """Its own close leaves the sockets to the end of the process."""
    for pipe in pipes:
        pipe._reader.close()
        pipe._writer.close()
