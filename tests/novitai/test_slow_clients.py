"""The bound on how long a client may take, on a socket of its own."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from novitai.slow_clients import BoundedSocket, RequestTimeout

Pair = tuple[BoundedSocket, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    """The server's end, whose time is up, and the client's."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield BoundedSocket(ours, 0), theirs


def test_a_request_whose_time_is_up_is_read_no_further(pair: Pair) -> None:
    bounded, client = pair
    client.sendall(b"late")
    with pytest.raises(RequestTimeout):
        bounded.recv(10)


def test_what_is_read_while_closing_counts_for_no_request(pair: Pair) -> None:
    """gunicorn takes an error of ours for a second end of the connection."""
    bounded, client = pair
    client.sendall(b"late")
    bounded.shutdown(socket.SHUT_WR)
    assert bounded.recv(10) == b"late"


def test_more_time_may_be_allowed(pair: Pair) -> None:
    bounded, client = pair
    client.sendall(b"late")
    bounded.allow(5)
    assert bounded.recv(10) == b"late"
