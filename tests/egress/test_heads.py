"""What a server may send before and within the head of its answer, and what is made of it."""

from __future__ import annotations

import gzip
import time
import tracemalloc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import psutil
import pytest

from egress.errors import (
    BodyTooLarge,
    BrokenResponse,
    ConnectionLost,
    HeadTooLarge,
    TransportError,
)
from egress.exchange import MOST_HEAD_BYTES, Deadline
from egress.transport import HttpRequest, HttpResponse, Transport
from egress.webhooks.sending import MAX_BODY_BYTES, deliver
from instances.monitoring.readiness import check
from tests.egress.raw_server import Peer, serving
from tests.egress.webhooks.test_sending import LOCAL

FINAL = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone"
HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n"
INTERIM = {
    "103": HINTS,
    "100": b"HTTP/1.1 100 Continue\r\n\r\n",
    "102": b"HTTP/1.1 102 Processing\r\n\r\n",
    "104, unknown": b"HTTP/1.1 104 Upload Resumption Supported\r\n\r\n",
    "199 without a reason": b"HTTP/1.1 199\r\n\r\n",
    "several": HINTS + b"HTTP/1.1 100 Continue\r\n\r\n" + HINTS,
    "many": HINTS * 500,
    "line feeds only": b"HTTP/1.1 103 Early Hints\nLink: a\n\n",
    "HTTP/1.0": b"HTTP/1.0 103 Early Hints\r\n\r\n",
    "a length that means nothing": b"HTTP/1.1 103 Early Hints\r\nContent-Length: 9\r\n\r\n",
}
SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n"


def sending(*parts: bytes) -> Callable[[Peer], None]:
    def script(peer: Peer) -> None:
        peer.read_request()
        for part in parts:
            peer.send(part)

    return script


def endless(part: bytes, start: bytes = b"") -> Callable[[Peer], None]:
    def script(peer: Peer) -> None:
        peer.read_request()
        with suppress(OSError):
            peer.send(start)
            while not peer.server.stop.is_set():
                peer.send(part)

    return script


def fetched(script: Callable[[Peer], None]) -> HttpResponse:
    """As Novita is asked."""
    transport = Transport(max_body_bytes=100_000)
    with serving(script) as server:
        return transport.exchange(HttpRequest("GET", server.url, {}), Deadline(10))


def delivered(script: Callable[[Peer], None]) -> Any:
    with serving(script) as server:
        return deliver(server.url, b"{}", {}, allowed_networks=LOCAL, timeout_seconds=10)


def probed(script: Callable[[Peer], None]) -> str:
    probe = {"type": "http", "port": 1, "path": "/", "expectedStatus": 200, "timeoutSeconds": 10}
    with serving(script) as server:
        return check(probe, {1: server.url}, allowed_networks=LOCAL)


@pytest.mark.parametrize("interim", INTERIM.values(), ids=INTERIM)
def test_interim_answers_are_no_answers(interim: bytes) -> None:
    answer = fetched(sending(interim, FINAL))
    assert (answer.status, answer.body, answer.headers["content-length"]) == (200, b"done", "4")
    result = delivered(sending(interim + FINAL))
    assert (result.is_delivered, result.status_code, result.error) == (True, 200, None)
    assert probed(sending(interim + FINAL)) == ""


@pytest.mark.parametrize("piece", [1, 2, 3, 7])
def test_heads_may_come_in_any_pieces(piece: int) -> None:
    text = HINTS + HINTS + FINAL
    parts = [text[at : at + piece] for at in range(0, len(text), piece)]
    assert delivered(sending(*parts)).is_delivered


@pytest.mark.parametrize("before", [b"", HINTS], ids=["at once", "after 103"])
def test_a_change_of_protocol_is_refused(before: bytes) -> None:
    script = sending(before + SWITCH + b"\x81\x02hi")
    with pytest.raises(BrokenResponse, match="not an HTTP response"):
        fetched(script)
    result = delivered(script)
    assert (result.is_delivered, result.status_code) == (False, None)
    assert "not an HTTP response" in result.error
    assert "not an HTTP response" in probed(script)


@pytest.mark.parametrize(
    ("script", "words"),
    [
        (endless(INTERIM["100"]), "65,536 bytes"),
        (endless(HINTS), "65,536 bytes"),
        (endless(b"X: " + b"a" * 65_000 + b"\r\n", b"HTTP/1.1 200 OK\r\n"), "65,536 bytes"),
        (endless(b"a", b"HTTP/1.1 200 OK\r\nX: "), "answer"),
        (endless(b"a" * 9_000), "65,536 bytes"),
        (endless(b"X: y\r\n", b"HTTP/1.1 103 Early Hints\r\n"), "answer"),
        (sending(*[b"HTTP/1.1 103 E\r\nX: " + b"a" * 9_000 + b"\r\n\r\n"] * 8), "65,536 bytes"),
    ],
    ids=["100s", "103s", "large fields", "one field", "no HTTP", "small fields", "large 103s"],
)
def test_what_has_no_end_ends_soon_and_says_why(script: Any, words: str) -> None:
    """Long before the deadline, and with little work."""
    for ask in (lambda: delivered(script).error, lambda: probed(script)):
        began = time.thread_time()
        assert words in ask()
        assert time.thread_time() - began < 1
    with pytest.raises(TransportError, match=words):
        fetched(script)


def test_many_fields_are_no_failure() -> None:
    """http.client counts to a hundred."""
    fields = b"".join(b"X-%d: y\r\n" % number for number in range(3_000))
    body = b"Retry-After: 7\r\nContent-Length: 4\r\n\r\ndone"
    folded = b"X-Folded: a\r\n b\r\n\tc\r\n"
    for status in (b"200 OK", b"503 Busy"):
        script = sending(b"HTTP/1.1 " + status + b"\r\n" + folded + fields + body)
        answer = fetched(script)
        assert (answer.status, answer.body) == (int(status[:3]), b"done")
        assert answer.headers["retry-after"] == "7"
        result = delivered(script)
        assert (result.status_code, result.is_delivered) == (int(status[:3]), status[:1] == b"2")
        assert result.response_excerpt == "done"


def test_a_field_that_stands_in_many_lines_is_kept_once() -> None:
    lines = b"Content-Length: 4\r\n" * 200
    assert fetched(sending(b"HTTP/1.1 200 OK\r\n" + lines + b"\r\ndone")).body == b"done"


@pytest.mark.parametrize("size", [MOST_HEAD_BYTES - 1, MOST_HEAD_BYTES, MOST_HEAD_BYTES + 1])
def test_the_bound_is_exact(size: int) -> None:
    start, end = b"HTTP/1.1 200 OK\r\nX: ", b"\r\n\r\n"
    head = start + b"a" * (size - len(start) - len(end)) + end
    if size > MOST_HEAD_BYTES:
        with pytest.raises(HeadTooLarge):
            fetched(sending(head))
    else:
        assert fetched(sending(head + b"body")).body == b"body"


@pytest.mark.parametrize("end", [2, 12, 18, 24])
def test_a_head_that_breaks_off_is_no_answer(end: int) -> None:
    script = sending(b"HTTP/1.1 200 OK\r\nX: yes\r\n"[:end])
    assert delivered(script).status_code is None
    with pytest.raises(ConnectionLost):
        fetched(script)


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
PACKED = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n"
BODIES = {
    "endless": endless(b"a" * 9_000, b"HTTP/1.1 200 OK\r\n\r\n"),
    "chunks of a byte": endless(b"1\r\na\r\n" * 500, CHUNKED),
    "a chunk's size without end": endless(b"0" * 9_000, CHUNKED),
    "a chunk's extension without end": endless(b";a" * 4_000, CHUNKED + b"1"),
    "trailers without end": endless(b"X: y\r\n" * 500, CHUNKED + b"0\r\n"),
    "a chunk of less than nothing": sending(CHUNKED + b"-5\r\nhello\r\n0\r\n\r\n"),
    "a chunk whose size is no number": sending(CHUNKED + b"zz\r\n"),
    "a large trailer": endless(b"a" * 9_000, CHUNKED + b"0\r\nX: "),
}


@pytest.mark.parametrize("script", BODIES.values(), ids=BODIES)
def test_a_body_without_end_is_cut_and_the_status_counts(script: Any) -> None:
    began = time.thread_time()
    result = delivered(script)
    assert (result.is_delivered, result.status_code) == (True, 200)
    assert time.thread_time() - began < 1
    with pytest.raises((BodyTooLarge, BrokenResponse)):
        fetched(script)


def test_a_body_as_long_as_may_be_is_read_whole() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % MAX_BODY_BYTES
    assert delivered(sending(head + b"a" * MAX_BODY_BYTES)).response_excerpt == "a" * 1000
    many = b"".join(b"10\r\n0123456789abcdef\r\n" for _ in range(5_000)) + b"0\r\n\r\n"
    assert len(fetched(sending(CHUNKED + many)).body) == 80_000


def test_memory_stays_flat_whatever_they_send() -> None:
    """Twelve at a time: large fields, one endless line, endless bodies, a compressed bomb."""
    large = endless(b"X: " + b"a" * 65_000 + b"\r\n", b"HTTP/1.1 200 OK\r\n")
    scripts = [large, BODIES["a chunk's size without end"], BODIES["endless"]] * 4
    delivered(large)
    tracemalloc.start()
    try:
        with ThreadPoolExecutor(len(scripts)) as pool:
            list(pool.map(delivered, scripts))
        held, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # The servers' own threads are counted, too.
    assert peak < 12_000_000
    assert held < 2_000_000


def test_what_a_process_grew_by_for_hostile_receivers_is_given_back() -> None:
    """Two hundred exchanges, twelve at a time, after some that fill the allocator's stores."""
    bomb = sending(PACKED + gzip.compress(b"a" * 10_000_000))
    scripts = [endless(b"X: " + b"a" * 65_000 + b"\r\n", b"HTTP/1.1 200 OK\r\n"), bomb]
    process = psutil.Process()
    with ThreadPoolExecutor(12) as pool:
        list(pool.map(delivered, scripts * 12))
        before = process.memory_info().rss
        list(pool.map(delivered, scripts * 100))
    assert process.memory_info().rss < 1.3 * before
