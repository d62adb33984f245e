"""A worker cluster, as processes, on a database that fails: nothing is started by hand again."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from tests.core.database.servers import OwnServer, eventually
from tests.core.database.standby import promote, standby_of
from tests.core.database.test_outages import Service
from tests.jobs.commands import Command
from tests.support.web_server import served

HEALING_SECONDS = 15
FROZEN_SECONDS = 8
ENQUEUE = """
INSERT INTO jobs_job (public_id, type, subject, payload, error, errors, worker, request_id)
VALUES (%s, 'noop', '', '{}', '', '[]', '', '')
"""

pytestmark = pytest.mark.django_db


@contextmanager
def cluster(url: str, folder: Path) -> Iterator[Command]:
    variables = {"DATABASE_URL": url, "DATA_DIR": str(folder / "data"), "LOG_FORMAT": "json"}
    command = Command(folder / "worker.log", without=["TEST_DATABASE"], **variables)
    try:
        yield command
    finally:
        command.end()


def works(url: str) -> None:
    """A job that is asked for now is done soon, without a failed attempt."""
    job = secrets.token_hex(4)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(ENQUEUE, [job])

        def is_done() -> bool:
            query = "SELECT status, attempts FROM jobs_job WHERE public_id = %s"
            return connection.execute(query, [job]).fetchone() == ("completed", 1)

        eventually(is_done, "the job is done", HEALING_SECONDS)


@contextmanager
def read_only(server: OwnServer) -> Iterator[None]:
    server.run("ALTER DATABASE novitai SET default_transaction_read_only = on")
    server.end_sessions()
    try:
        yield
    finally:
        server.run("ALTER DATABASE novitai RESET default_transaction_read_only")


def test_a_cluster_works_again_after_its_database_was_read_only_and_frozen(
    server: OwnServer, tmp_path: Path
) -> None:
    with cluster(server.url(), tmp_path) as command:
        command.eventually(command.is_complete)
        works(server.url())
        with read_only(server):
            command.eventually(lambda: '"cause": "read_only"' in command.log.read_text())
        works(server.url())
        with server.frozen():
            time.sleep(FROZEN_SECONDS)
        works(server.url())
        assert command.process.poll() is None


def test_a_service_that_starts_on_a_standby_works_once_it_is_promoted(
    server: OwnServer, tmp_path: Path
) -> None:
    with (
        standby_of(server, tmp_path / "standby") as url,
        cluster(url, tmp_path) as command,
        served(tmp_path, url) as web,
    ):
        service = Service(web, server, tmp_path / "web.log")
        eventually(lambda: "database_read_only" in service.problems(), "told by /health")
        ready = service.call("GET", "/readyz")
        assert ready.json()["reasons"] == ["The database is read-only."]
        answer = service.create()
        assert (answer.status_code, answer.json()["error"]["details"]["cause"]) == (
            503,
            "read_only",
        )
        command.eventually(lambda: '"cause": "read_only"' in command.log.read_text())
        promote(url)
        eventually(lambda: service.create().status_code == 201, "creates succeed", HEALING_SECONDS)
        works(url)
