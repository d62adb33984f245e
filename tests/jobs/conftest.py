"""Job types that the tests register; the service's own are put back afterwards."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection

from jobs import registry
from jobs.registry import JobType
from jobs.taskqueue import TaskQueue
from tests.engine import ScriptedHandler

Register = Callable[..., ScriptedHandler]


@pytest.fixture
def register(monkeypatch: pytest.MonkeyPatch) -> Register:
    """Register a type by name; only types registered in the test exist."""
    monkeypatch.setattr(registry, "_types", {})

    def register(
        name: str = "noop", handler: ScriptedHandler | None = None, **fields: Any
    ) -> ScriptedHandler:
        handler = handler or ScriptedHandler()
        registry.register(JobType(name, handler, **fields))
        return handler

    return register


def in_thread(work: Callable[[], Any]) -> Any:
    """The result of ``work`` on a connection of its own, which is closed afterwards."""
    result: list[Any] = []

    def target() -> None:
        try:
            result.append(work())
        finally:
            connection.close()

    thread = threading.Thread(target=target)
    thread.start()
    thread.join(timeout=20)
    assert result, "the thread failed or hangs"
    return result[0]


def close(*pipes: TaskQueue) -> None:
    """Its own close leaves the sockets to the end of the process."""
    for pipe in pipes:
        pipe._reader.close()
        pipe._writer.close()
