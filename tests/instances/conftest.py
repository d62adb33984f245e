from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from instances.novita import limiter
from tests.conftest import Configure

__all__ = ["Configure"]

# The limiter by a clock of its own


class Clock:
    """The database's clock, moved by hand."""

    def __init__(self) -> None:
        self.now = datetime(2030, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def pass_(self, span: timedelta) -> None:
        self.now += span


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(limiter, "database_now", clock)
    return clock


Limit = Callable[[int], None]


@pytest.fixture
def limit(configure: Configure) -> Limit:
    def limit(calls_per_minute: int) -> None:
        configure(novita_rate_limit=calls_per_minute)

    limit(300)
    return limit
