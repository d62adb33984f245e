from __future__ import annotations

import ssl
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from instances.novita import limiter


@dataclass
class Certificate:
    """Self-signed, for hooks.test, valid for a day."""

    path: str
    server_context: ssl.SSLContext


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    folder: Path = tmp_path_factory.mktemp("tls")
    cert, key = folder / "cert.pem", folder / "key.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
            *("-nodes", "-days", "1", "-subj", "/CN=hooks.test"),
            *("-addext", "subjectAltName=DNS:hooks.test", "-keyout", str(key), "-out", str(cert)),
        ],
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    return Certificate(str(cert), context)


Configure = Callable[..., None]


@pytest.fixture
def configure(settings: Any) -> Configure:
    """Change fields of the configuration for one test."""

    def configure(**fields: Any) -> None:
        settings.CONFIG = settings.CONFIG.model_copy(update=fields)

    return configure


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
