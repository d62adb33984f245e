"""Limits of the web server for the time, memory and number of its clients."""

from __future__ import annotations

import json
import select
import socket
import struct
import threading
from contextlib import ExitStack
from pathlib import Path

from devtools.faults.real.processes import wait_until
from tests.devtools.launcher.launcher_process import eventually
from tests.novitai.server.raw_clients import GET, LIVEZ, POST, answers_of, connect, is_served
from tests.novitai.server.test_web_server import dead_url
from tests.support.web_server import served, serving_processes

MANY = 12


def test_a_client_that_is_gone_already_is_no_trusted_proxy(tmp_path: Path) -> None:
    """Of a connection that was reset before it was accepted, the system tells no address."""
    log = tmp_path / "web.log"
    knobs = {"WEB_WORKERS": "1", "FORWARDED_ALLOW_IPS": "192.0.2.1"}
    with ExitStack() as clients, served(tmp_path, dead_url(), **knobs) as url:
        assert is_served(url)
        (child,) = serving_processes()
        child.suspend()
        with connect(url, clients) as client:
            client.sendall(LIVEZ.replace(b"livez", b"api") + b"X-Forwarded-For: 1.2.3.4\r\n\r\n")
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        child.resume()
        assert eventually(lambda: '"route": "api"' in log.read_text())
    (line,) = (line for line in log.read_text().splitlines() if '"route": "api"' in line)
    assert json.loads(line)["address"] == "127.0.0.1"


def test_who_does_not_finish_in_time_is_told_so(tmp_path: Path) -> None:
    with (
        ExitStack() as clients,
        served(tmp_path, dead_url(), WEB_WORKERS="1", WEB_READ_TIMEOUT="1") as url,
    ):
        silent = connect(url, clients)
        halves = [connect(url, clients) for _ in range(MANY)]
        for client in halves:
            client.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n")
        answers = [client.makefile("rb").read() for client in halves]
        assert all(answer.startswith(b"HTTP/1.1 408 ") for answer in answers)
        assert all(answer.count(b"REQUEST_TIMEOUT") == 1 for answer in answers)
        assert silent.recv(1000) == b""
    assert "Traceback" not in (tmp_path / "web.log").read_text()


def test_when_memory_is_short_those_who_hold_it_are_let_go(tmp_path: Path) -> None:
    """80 times 0.9 MB are more than 64 MiB. Whoever brings less, and to its end, is served."""
    with ExitStack() as clients, served(tmp_path, dead_url(), WEB_WORKERS="1") as url:
        many = [connect(url, clients) for _ in range(80)]
        for client in many:
            client.sendall(POST + b"Content-Length: 1000000\r\n\r\n" + b"x" * 900_000)
        modest = connect(url, clients)
        for _ in range(3):
            modest.sendall(POST + b"Content-Length: 40000\r\n\r\n" + b"x" * 20_000)
            assert is_served(url)
            modest.sendall(b"x" * 20_000)
            assert answers_of(modest, 1) == [b"HTTP/1.1 401 Unauthorized"]
        gone = [client for client in many if select.select([client], [], [], 0)[0]]
        assert 5 < len(gone) < 40


def test_a_flood_of_clients_that_say_nothing_keeps_no_one_out(tmp_path: Path) -> None:
    """Three times as many as may be connected, and the service's patience is longer than the
    test's; those who have waited longest make room.
    """
    halves = (b"", b"GET /livez HT", LIVEZ, POST + b"Content-Length: 9\r\n\r\nx")
    with (
        ExitStack() as clients,
        served(tmp_path, dead_url(), files=100, WEB_WORKERS="1", WEB_READ_TIMEOUT="300") as url,
    ):
        assert is_served(url)
        for half in halves * 40:
            connect(url, clients).sendall(half)
        for _ in range(5):
            assert is_served(url)


def test_what_the_service_was_configured_with_is_read_once(tmp_path: Path) -> None:
    """A secret's file may be replaced while it runs; no connection may end a process for that."""
    secret = tmp_path / "secret"
    secret.write_text("s" * 50)
    with (
        ExitStack() as clients,
        served(tmp_path, dead_url(), WEB_WORKERS="1", SECRET_KEY_FILE=str(secret)) as url,
    ):
        assert is_served(url)
        secret.unlink()
        client = connect(url, clients)
        client.sendall(GET)
        assert answers_of(client, 1) == [b"HTTP/1.1 200 OK"]


def test_a_process_that_stands_still_does_not_prevent_the_stop(tmp_path: Path) -> None:
    with served(tmp_path, dead_url(), stop_seconds=1) as url:
        assert is_served(url)
        serving_processes()[0].suspend()


def test_a_process_that_is_killed_before_it_answers_its_parent_is_replaced_at_once(
    tmp_path: Path,
) -> None:
    """Its parent asks it every half second; then it would wait 30 s for the answer."""
    with served(tmp_path, dead_url(), stop_seconds=1) as url:
        assert is_served(url)
        wait_until(lambda: len(serving_processes()) == 2)
        asked, other = serving_processes()
        asked.suspend()
        threading.Event().wait(1.5)
        asked.kill()
        wait_until(lambda: len({*serving_processes()} - {asked, other}) == 1, seconds=20)
