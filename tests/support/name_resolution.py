"""What names resolve to in this process."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

import pytest

look_up = socket.getaddrinfo


def resolve_by(monkeypatch: pytest.MonkeyPatch, answer: Callable[..., Any]) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", answer)


def resolve_all_to_localhost(monkeypatch: pytest.MonkeyPatch) -> None:
    resolve_by(monkeypatch, lambda host, *rest, **more: look_up("127.0.0.1", *rest, **more))


def resolve_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise socket.gaierror("Name or service not known")

    resolve_by(monkeypatch, fail)
