"""A web server, as processes, on a database that fails in every way that a database can."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest
import requests

from tests.core.database.servers import OwnServer, eventually, manage
from tests.support.web_server import served

PROBE_SECONDS = 3.0
BODY = {"name": "a", "productName": "b", "templateId": "1"}


class Service:
    """The web server, its database, and a key of a project."""

    def __init__(self, url: str, server: OwnServer, log: Path) -> None:
        self.url, self.server, self._log = url, server, log
        made = manage(server.url(), "create_api_key")
        assert made.returncode == 0, made.stderr
        server.run("UPDATE accounts_project SET live_instance_limit = 100000", name="novitai")
        self._headers = {"Authorization": f"Bearer {made.stdout.split()[-1]}"}

    def call(
        self, method: str, path: str, timeout: float = 60, **options: Any
    ) -> requests.Response:
        headers = self._headers if path.startswith("/api") else {}
        return requests.request(
            method, f"{self.url}{path}", headers=headers, timeout=timeout, **options
        )

    def create(self) -> requests.Response:
        return self.call("POST", "/api/instances", json=BODY)

    def problems(self) -> list[str]:
        answer = self.call("GET", "/health", timeout=PROBE_SECONDS).json()
        return [each["code"] for each in answer["problems"]]

    def readiness(self) -> tuple[int, list[str]]:
        answer = self.call("GET", "/readyz")
        return answer.status_code, answer.json().get("reasons", [])

    def is_well(self) -> bool:
        return all(
            self.call("GET", path).status_code == 200 for path in ("/readyz", "/api/instances")
        )

    def events(self) -> list[dict[str, Any]]:
        lines = self._log.read_text().splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]


@pytest.fixture(scope="module")
def service(server: OwnServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("outages")
    with served(folder, server.url()) as url:
        yield Service(url, server, folder / "web.log")


@pytest.fixture(autouse=True)
def well_before_and_after(service: Service) -> Iterator[None]:
    eventually(service.is_well, "well before the test")
    yield
    eventually(service.is_well, "well after the test", seconds=15)


def assert_is_told(answer: requests.Response, cause: str, words: str) -> None:
    assert answer.status_code == 503, answer.text
    assert answer.headers["Retry-After"] == "5"
    error = answer.json()["error"]
    assert error["code"] == "SERVICE_UNAVAILABLE"
    assert error["details"] == {"cause": cause}
    assert words in error["message"]
    assert error["retryable"]


def test_a_read_only_database_is_told_and_outlived(service: Service) -> None:
    before = len(service.events())
    service.server.run("ALTER DATABASE novitai SET default_transaction_read_only = on")
    service.server.end_sessions()
    try:
        eventually(lambda: service.create().status_code == 503, "creates are refused")
        for _ in range(20):
            assert_is_told(service.create(), "read_only", "read-only")
        # Each web process asks the database at most once a second.
        eventually(lambda: service.readiness() == (503, ["The database is read-only."]), "told")
        eventually(lambda: "database_read_only" in service.problems(), "told by /health")
        # Reads are answered until the key's rate has to be written down.
        for _ in range(20):
            answer = service.call("GET", "/api/instances")
            if answer.status_code != 200:
                assert_is_told(answer, "read_only", "read-only")
    finally:
        service.server.run("ALTER DATABASE novitai RESET default_transaction_read_only")
    # Nobody ends the sessions by hand: they end themselves.
    eventually(lambda: service.create().status_code == 201, "creates succeed again", seconds=5)
    for _ in range(20):
        assert service.create().status_code == 201
        assert service.call("GET", "/api/instances").status_code == 200
    time.sleep(1.1)
    assert "database_read_only" not in service.problems()
    told = [line for line in service.events()[before:] if line["event"] == "database_unusable"]
    assert 1 <= len([line for line in told if line["cause"] == "read_only"]) <= 4
    assert any(line["event"] == "database_usable_again" for line in service.events()[before:])


def test_sessions_that_an_administrator_ends_cost_one_answer_at_most(service: Service) -> None:
    for _ in range(3):
        service.server.end_sessions()
        answers = [service.call("GET", "/api/instances").status_code for _ in range(10)]
        assert set(answers) <= {200, 503}, answers
    eventually(service.is_well, "well again", seconds=5)


def test_a_busy_table_is_told_as_busy(service: Service) -> None:
    with psycopg.connect(service.server.url()) as blocking:
        blocking.execute("LOCK TABLE instances_instance IN ACCESS EXCLUSIVE MODE")
        start = time.monotonic()
        answer = service.call("GET", "/api/instances")
        assert 9 < time.monotonic() - start < 14
        assert_is_told(answer, "busy", "busy")
        assert service.call("GET", "/readyz").status_code == 200
    assert service.call("GET", "/api/instances").status_code == 200


def test_a_disk_without_space_is_told(service: Service) -> None:
    """By the server's own code for it, from a trigger: a disk cannot be filled everywhere."""
    service.server.run(
        "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION"
        " 'could not extend file: No space left on device' USING ERRCODE = '53100'; END $$",
        "CREATE TRIGGER full_disk BEFORE UPDATE ON novitai_write_probe"
        " FOR EACH ROW EXECUTE FUNCTION full_disk()",
        "CREATE TRIGGER full_disk BEFORE INSERT ON instances_instance"
        " FOR EACH ROW EXECUTE FUNCTION full_disk()",
        name="novitai",
    )
    try:
        time.sleep(1.1)
        assert_is_told(service.create(), "full", "no space left")
        ready = service.call("GET", "/readyz")
        assert ready.json()["reasons"] == ["The database has no space left."]
        assert "database_full" in service.problems()
        assert service.call("GET", "/api/instances").status_code == 200
    finally:
        service.server.run("DROP FUNCTION full_disk() CASCADE", name="novitai")
    eventually(service.is_well, "well again", seconds=5)
    assert service.create().status_code == 201


def test_a_role_that_lost_its_rights_is_told(service: Service) -> None:
    """By the server's own code for it: the tests' role may do everything."""
    service.server.run(
        "CREATE FUNCTION denied() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION"
        " 'permission denied for table' USING ERRCODE = '42501'; END $$",
        "CREATE TRIGGER denied BEFORE UPDATE ON novitai_write_probe"
        " FOR EACH ROW EXECUTE FUNCTION denied()",
        "CREATE TRIGGER denied BEFORE INSERT ON instances_instance"
        " FOR EACH ROW EXECUTE FUNCTION denied()",
        name="novitai",
    )
    try:
        time.sleep(1.1)
        assert_is_told(service.create(), "forbidden", "role of the service lacks a privilege")
        ready = service.call("GET", "/readyz")
        assert "role of the service lacks" in ready.json()["reasons"][0]
        assert "database_forbidden" in service.problems()
    finally:
        service.server.run("DROP FUNCTION denied() CASCADE", name="novitai")
    eventually(lambda: service.create().status_code == 201, "creates succeed again", seconds=5)


@pytest.mark.parametrize(
    ("closing", "opening"),
    [
        ("ALLOW_CONNECTIONS false", "novitai ALLOW_CONNECTIONS true"),
        ("RENAME TO x", "x RENAME TO novitai"),
    ],
)
def test_a_database_that_takes_no_sessions_is_told_in_the_same_word_everywhere(
    service: Service, closing: str, opening: str
) -> None:
    service.server.end_sessions()
    service.server.run(f"ALTER DATABASE novitai {closing}")
    try:
        service.server.end_sessions()
        assert_takes_no_session(service, "refused")
    finally:
        service.server.run(f"ALTER DATABASE {opening}")
    eventually(lambda: service.create().status_code == 201, "creates succeed again", seconds=5)


def test_a_server_without_a_connection_left_is_told(service: Service) -> None:
    with ExitStack() as held:
        service.server.end_sessions()
        with suppress(psycopg.OperationalError):
            for _ in range(1_000):
                held.enter_context(psycopg.connect(service.server.url()))
        assert_takes_no_session(service, "too_many_connections")
    eventually(lambda: service.create().status_code == 201, "creates succeed again", seconds=5)


def assert_takes_no_session(service: Service, cause: str) -> None:
    eventually(lambda: f"database_{cause}" in service.problems(), "told by /health", seconds=5)
    answer = service.call("GET", "/api/instances")
    assert (answer.status_code, answer.json()["error"]["details"]) == (503, {"cause": cause})
    assert service.call("GET", "/readyz").status_code == 503


def test_a_frozen_server_holds_neither_probes_nor_threads(service: Service) -> None:
    def timed(path: str) -> tuple[float, requests.Response]:
        start = time.monotonic()
        answer = service.call("GET", path)
        return time.monotonic() - start, answer

    with service.server.frozen(), ThreadPoolExecutor(40) as pool:
        # More than there are threads.
        crowd = [pool.submit(timed, "/api/instances") for _ in range(32)]
        metrics = pool.submit(timed, "/api/metrics")
        time.sleep(0.5)
        probes = [pool.submit(timed, path) for path in ("/livez", "/readyz", "/health") * 2]
        for seconds, answer in [each.result() for each in probes]:
            assert seconds < PROBE_SECONDS, answer.url
            if not answer.url.endswith("/livez"):
                assert answer.status_code == 503
                assert "The database does not answer." in answer.text
        for seconds, answer in [each.result() for each in [*crowd, metrics]]:
            assert seconds < 4 * PROBE_SECONDS
            assert_is_told(answer, "silent", "does not answer")
        # Known by now: told at once.
        for path in ("/readyz", "/health", "/api/instances"):
            seconds, answer = timed(path)
            assert (answer.status_code, seconds < 1) == (503, True)
    assert eventually(service.is_well, "well again") < 8
