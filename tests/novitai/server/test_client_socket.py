"""A client's socket that nobody waits for: what it tells, and what it keeps."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from http.client import HTTPResponse

import pytest
from gunicorn.http.errors import ParseException

from novitai.server import client_socket
from novitai.server.arriving import RequestTimeout
from novitai.server.client_socket import ClientSocket

Pair = tuple[ClientSocket, socket.socket]
GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n"


@pytest.fixture
def pair() -> Iterator[Pair]:
    """The server's end, with bodies of up to 100 bytes, and the client's."""
    ours, theirs = socket.socketpair()
    theirs.settimeout(5)
    with ours, theirs:
        yield ClientSocket(ours, 100), theirs


def test_a_request_is_there_once_all_of_it_has_come(pair: Pair) -> None:
    sock, client = pair
    assert not sock.gather()
    assert not sock.has_begun
    client.sendall(GET[:-1])
    assert not sock.gather()
    assert sock.has_begun
    client.sendall(GET[-1:])
    assert sock.gather()
    assert sock.is_clean
    assert sock.recv(1000) == GET


def test_who_reads_on_is_told_that_the_time_is_up_or_what_else_is_wrong(pair: Pair) -> None:
    sock, client = pair
    client.sendall(POST + b"\r\nhell")
    assert not sock.gather()
    assert sock.recv(1000).endswith(b"hell")
    with pytest.raises(RequestTimeout):
        sock.recv(1000)


def test_what_is_no_http_is_there_at_once_and_is_refused(pair: Pair) -> None:
    sock, client = pair
    client.sendall(b"NONSENSE\r\n")
    assert sock.gather()
    sock.recv(1000)
    with pytest.raises(ParseException):
        sock.recv(1000)


def test_whoever_closes_is_not_waited_for(pair: Pair) -> None:
    sock, client = pair
    client.sendall(b"GET")
    client.shutdown(socket.SHUT_WR)
    assert not sock.gather()
    assert sock.gather()
    assert [sock.recv(1000), sock.recv(1000)] == [b"GET", b""]


def test_a_broken_connection_is_one_that_has_ended(pair: Pair) -> None:
    sock, client = pair
    sock.sendall(b"never read")
    assert sock.push()
    # With something unread, closing resets the connection.
    client.close()
    assert sock.gather()
    sock.sendall(b"in vain")
    assert sock.push()
    assert sock.drain()


def test_the_next_request_begins_with_what_came_after_the_last_one(pair: Pair) -> None:
    sock, client = pair
    client.sendall(GET + GET + GET[:5])
    for _ in range(2):
        assert sock.gather()
        assert sock.recv(1000) == GET
        sock.begin_next()
    assert not sock.gather()
    assert sock.has_begun
    client.sendall(GET[5:])
    assert sock.gather()


def test_what_has_come_already_is_not_waited_for(pair: Pair) -> None:
    sock, client = pair
    client.sendall(GET + GET)
    assert sock.gather()
    sock.recv(1000)
    sock.begin_next()
    # Nothing is readable any more: with 100 s of patience this would be seen.
    assert sock.gather_within(100_000)


def test_after_the_last_answer_nothing_is_kept(pair: Pair) -> None:
    sock, client = pair
    client.sendall(POST + b"\r\nhell")
    assert not sock.gather()
    sock.read_no_more()
    assert not sock.has_begun
    assert sock.weight == 0
    assert sock.recv(1000) == b""


def test_a_client_that_waits_to_be_told_to_go_on_is_told_once_for_each_request(pair: Pair) -> None:
    sock, client = pair
    for _ in range(2):
        client.sendall(POST + b"Expect: 100-continue\r\n\r\n")
        assert not sock.gather()
        assert not sock.gather()
        assert sock.send(b"HTTP/1.1 100 Continue\r\n\r\n") == 25
        client.sendall(b"hello")
        assert sock.gather()
        assert sock.recv(1000).endswith(b"hello")
        sock.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")
        sock.push()
        sock.begin_next()
        assert client.recv(1000) == (
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n"
        )


def test_an_answer_leaves_in_one_piece_and_what_is_not_taken_is_kept(pair: Pair) -> None:
    sock, client = pair
    sock.sendall(b"HTTP/1.1 200 OK\r\n")
    sock.sendall(b"Content-Length: 1000000\r\n\r\n")
    assert sock.has_unsent
    for _ in range(1000):
        sock.sendall(b"x" * 1000)
    assert not sock.push()
    assert sock.has_unsent
    assert sock.weight > 100_000
    client.setblocking(False)
    taken = bytearray()
    while len(taken) < 1_000_042:
        sock.push()
        taken += client.recv(1_000_000)
    assert sock.push()
    assert not sock.has_unsent
    assert taken.endswith(b"\r\n\r\n" + b"x" * 1_000_000)


def test_who_sends_more_than_anybody_keeps_waits_for_the_client_and_not_for_ever(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_socket, "SEND_SECONDS", 0)
    sock, _ = pair
    sock.sendall(b"x" * client_socket.MOST_UNSENT_BYTES)
    with pytest.raises(TimeoutError):
        sock.sendall(b"x" * client_socket.MOST_UNSENT_BYTES)


def test_what_a_client_still_sends_is_read_away_to_its_end_and_not_for_ever(pair: Pair) -> None:
    sock, client = pair
    assert not sock.drain()
    client.sendall(b"x" * 1000)
    assert not sock.drain()
    client.sendall(b"x" * 65_000)
    assert sock.drain()


def test_closing_sends_the_answer_first_and_reads_no_further(pair: Pair) -> None:
    """gunicorn's own way of closing, after an error in the middle of an answer."""
    sock, client = pair
    client.sendall(POST)
    sock.gather()
    sock.recv(1000)
    sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    sock.shutdown(socket.SHUT_WR)
    assert sock.recv(1000) == b""
    answer = HTTPResponse(client)
    answer.begin()
    assert (answer.status, answer.read()) == (200, b"")


def test_a_closed_socket_has_nothing_to_send(pair: Pair) -> None:
    """gunicorn closes in a thread when an answer breaks off; nobody could wait for it then."""
    sock, _ = pair
    sock.sendall(b"x" * 2_000_000)
    assert sock.has_unsent
    sock.close()
    assert not sock.has_unsent
    with pytest.raises(OSError, match="Bad file descriptor"):
        sock.shutdown(socket.SHUT_WR)


def test_whoever_is_given_the_socket_has_it_alone(pair: Pair) -> None:
    sock, client = pair
    assert not sock.is_given_away
    given = sock.give_away()
    assert sock.is_given_away
    sock.sendall(b"from the server")
    assert sock.push()
    sock.shutdown(socket.SHUT_RDWR)
    sock.close()
    given.sendall(b"from the other")
    assert client.recv(1000) == b"from the other"
