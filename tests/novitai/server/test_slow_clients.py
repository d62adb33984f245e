"""Clients that take their time, and more of them than there are threads: nobody else notices.

The service here has one process with two threads, and no database. Its patience is longer than the
tests', so that a thread that waited for a client would fail them.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
import requests

from tests.novitai.server.raw_clients import GET, LIVEZ, POST, answers_of, connect, is_served
from tests.novitai.server.test_web_server import dead_url
from tests.support.web_server import PATIENCE, served

MANY = 12
LARGE_FILE = "/static/drf_spectacular_sidecar/swagger-ui-dist/swagger-ui-bundle.js"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("patient")
    with served(
        folder, dead_url(), WEB_WORKERS="1", WEB_THREADS="2", WEB_READ_TIMEOUT="300"
    ) as url:
        yield url
    assert "Traceback" not in (folder / "web.log").read_text()


@pytest.fixture
def clients(service: str) -> Iterator[ExitStack]:
    """Whoever connects goes in the end."""
    with ExitStack() as clients:
        yield clients


@pytest.mark.parametrize(
    "half",
    [
        b"",
        b"G",
        b"GET /livez HTTP/1.1\r\nHost: x\r\n",
        POST + b"Content-Length: 10\r\n\r\n{",
        POST + b"Content-Length: 10\r\nExpect: 100-continue\r\n\r\n",
        POST + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhel",
        GET + b"GET /livez HTTP/1.1\r\n",
    ],
)
def test_half_requests_hold_up_nobody(service: str, clients: ExitStack, half: bytes) -> None:
    for _ in range(MANY):
        connect(service, clients).sendall(half)
    assert is_served(service)


def test_answers_that_nobody_takes_hold_up_nobody(service: str, clients: ExitStack) -> None:
    slow = [connect(service, clients, buffer=4096) for _ in range(MANY)]
    for client in slow:
        client.sendall(f"GET {LARGE_FILE} HTTP/1.1\r\nHost: x\r\n\r\n".encode() + GET)
    assert is_served(service)
    file = requests.get(service + LARGE_FILE, timeout=PATIENCE).content
    received = b""
    while file not in received or b"HTTP/1.1 200 OK" not in received[len(file) :]:
        received += slow[0].recv(1_000_000)
    assert len(file) > 1_000_000
    assert received.count(b"HTTP/1.1 200 OK") == 2


def test_refused_clients_that_do_not_close_hold_up_nobody(service: str, clients: ExitStack) -> None:
    refused = [connect(service, clients) for _ in range(MANY)]
    for client in refused:
        client.sendall(b"NONSENSE\r\n")
        assert answers_of(client, 1) == [b"HTTP/1.1 400 Bad Request"]
    assert is_served(service)
    # And whatever they say after that is read away, so that they see their answer.
    refused[0].sendall(b"more of it")
    assert refused[0].recv(1000) == b""


def test_a_connection_is_used_again_and_requests_may_follow_before_the_answer(
    service: str, clients: ExitStack
) -> None:
    client = connect(service, clients)
    for _ in range(3):
        client.sendall(GET)
        assert answers_of(client, 1) == [b"HTTP/1.1 200 OK"]
    client.sendall(GET * 5 + GET[:10])
    assert answers_of(client, 5) == [b"HTTP/1.1 200 OK"] * 5
    client.sendall(GET[10:])
    assert answers_of(client, 1) == [b"HTTP/1.1 200 OK"]


def test_a_client_that_asks_before_it_sends_is_told_to_go_on_or_why_not(
    service: str, clients: ExitStack
) -> None:
    client = connect(service, clients)
    client.sendall(POST + b"Content-Length: 2\r\nExpect: 100-continue\r\n\r\n")
    assert answers_of(client, 1) == [b"HTTP/1.1 100 Continue"]
    client.sendall(b"{}")
    assert answers_of(client, 1) == [b"HTTP/1.1 401 Unauthorized"]
    client.sendall(POST + b"Content-Length: 99999999\r\nExpect: 100-continue\r\n\r\n")
    # The body of the answer before may come with it.
    _, found, answer = client.makefile("rb").read().partition(b"HTTP/1.1 413 ")
    assert found
    assert b"\r\nconnection: close\r\n" in answer
    older = connect(service, clients)
    head = POST.replace(b"1.1", b"1.0") + b"Content-Length: 2\r\nExpect: 100-continue\r\n\r\n"
    older.sendall(head + b"{}")
    assert answers_of(older, 1) == [b"HTTP/1.1 401 Unauthorized"]


CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
WEBSOCKET = (
    b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"a" * 70_000, b"431 "),
        (CHUNKED + b"0\r\nA: " + b"a" * 400_000, b"431 "),
        (CHUNKED + b"1f0000\r\n" + b"x" * 1_100_000, b"413 "),
        (CHUNKED + b"f" * 30 + b"\r\nabc", b"400 "),
        (CHUNKED + b"2\r\n{}XX0\r\n\r\n", b"400 "),
        (CHUNKED + b"2\r\n{}\r\n0\r\nContent-Length: 5\r\n\r\n", b"400 "),
        (LIVEZ + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhelloXX0\r\n\r\n", b"400 "),
        (LIVEZ + b"Upgrade: h2c\r\nConnection: Upgrade\r\n\r\n", b"200 "),
        (LIVEZ + WEBSOCKET, b"200 "),
        (POST.replace(b"1.1", b"1.0") + CHUNKED[len(POST) :] + b"0\r\n\r\n", b"400 "),
        (POST + b"Content-Length: 0\r\n" * 2 + b"\r\n", b"400 "),
        (CHUNKED.replace(b"\r\n\r\n", b"\r\nContent-Length: 5\r\n\r\n") + b"0\r\n\r\n", b"400 "),
        (LIVEZ + b"A: b\n\r\n", b"400 "),
        (LIVEZ + b"A: b\r\n c\r\n\r\n", b"400 "),
        (LIVEZ + b"Connection: TE, close\r\n\r\n", b"200 "),
        (LIVEZ + b"Connection: keep-alive\r\nConnection: close\r\n\r\n", b"200 "),
    ],
)
def test_there_is_one_answer_where_nobody_knows_what_comes_next(
    service: str, clients: ExitStack, request_: bytes, status: bytes
) -> None:
    client = connect(service, clients)
    client.sendall(request_ + GET)
    answer = client.makefile("rb").read()
    assert answer.startswith(b"HTTP/1.1 " + status)
    assert answer.count(b"HTTP/1.1 ") == 1
    assert b"\r\nconnection: close\r\n" in answer


def test_a_large_body_that_nobody_reads_leaves_the_connection_in_use(
    service: str, clients: ExitStack
) -> None:
    client = connect(service, clients)
    for _ in range(2):
        client.sendall(POST + b"Content-Length: 1048576\r\n\r\n" + b"x" * 1_048_576 + GET)
        assert answers_of(client, 2) == [b"HTTP/1.1 401 Unauthorized", b"HTTP/1.1 200 OK"]


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"GET /livez HTTP/1.1\r\n\r\n", b"400 Bad Request"),
        (b"GET /livez HTTP/1.0\r\n\r\n", b"200 OK"),
        (b"GET /livez HTTP/0.9\r\n\r\n", b"400 Bad Request"),
        (b"GET /livez HTTP/1.2\r\nHost: x\r\n\r\n", b"400 Bad Request"),
        (b"GET /livez HTTP/2.0\r\nHost: x\r\n\r\n", b"400 Bad Request"),
    ],
)
def test_the_versions_of_http_are_kept_apart(
    service: str, clients: ExitStack, head: bytes, status: bytes
) -> None:
    """RFC 9112, sections 2.3 and 3.2."""
    client = connect(service, clients)
    client.sendall(head)
    assert answers_of(client, 1) == [b"HTTP/1.1 " + status]


def test_trailers_are_no_headers(service: str, clients: ExitStack) -> None:
    """A proxy may pass them on; X-Forwarded-For among them would be taken for the proxy's word."""
    client = connect(service, clients)
    trailers = b"Authorization: a\r\n" * 2
    client.sendall(LIVEZ + b"Transfer-Encoding: chunked\r\n\r\n0\r\n" + trailers + b"\r\n" + GET)
    assert answers_of(client, 2) == [b"HTTP/1.1 200 OK"] * 2


@pytest.mark.parametrize("end", [b"NONSENSE\r\n\r\n", b"", GET * 100])
def test_requests_are_answered_before_the_end_of_what_can_be_read(
    service: str, clients: ExitStack, end: bytes
) -> None:
    """It is no HTTP, the client's last byte, or more than is kept for one client."""
    client = connect(service, clients)
    client.sendall(GET * 10 + end)
    client.shutdown(socket.SHUT_WR)
    answers = client.makefile("rb").read()
    assert answers.count(b"HTTP/1.1 200 OK\r\n") == (64 if end.startswith(GET) else 10)
    assert answers.count(b"\r\nconnection: close\r\n") == 1
