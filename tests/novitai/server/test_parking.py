"""Waiting in the main loop: for an event, or until the time is up."""

from __future__ import annotations

import selectors
import socket
from collections.abc import Iterator
from functools import partial
from selectors import EVENT_READ, EVENT_WRITE
from types import SimpleNamespace
from typing import Any

import pytest

from novitai.server.client_socket import ClientSocket
from novitai.server.parking import ParkingLot, Scales


class Waiting:
    """A connection, and what was asked and done about it."""

    def __init__(self) -> None:
        ours, self.client = socket.socketpair()
        self.sock = ClientSocket(ours, 100)
        self.asked = self.done = 0
        self.is_enough = False

    def is_done(self, conn: Any) -> bool:
        assert conn is self
        self.asked += 1
        return self.is_enough

    def then(self, conn: Any) -> None:
        assert conn is self
        self.done += 1

    def close(self) -> None:
        self.sock.close()
        self.client.close()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    clock = SimpleNamespace(now=1000.0)
    clock.monotonic = lambda: clock.now
    monkeypatch.setattr("novitai.server.parking.time", clock)
    return clock


@pytest.fixture
def selector() -> Iterator[selectors.BaseSelector]:
    with selectors.DefaultSelector() as selector:
        yield selector


@pytest.fixture
def conn() -> Iterator[Waiting]:
    conn = Waiting()
    yield conn
    conn.close()


def dispatch(selector: selectors.BaseSelector) -> None:
    """As gunicorn's loop does."""
    for key, _ in selector.select(0):
        key.data(key.fileobj)


def park(lot: ParkingLot, conn: Waiting, seconds: float = 10) -> None:
    lot.park(conn, selectors.EVENT_READ, seconds, conn.is_done, conn.then)


def test_who_is_done_leaves_and_is_asked_no_more(
    selector: selectors.BaseSelector, conn: Waiting, clock: SimpleNamespace
) -> None:
    lot = ParkingLot(selector)
    park(lot, conn)
    dispatch(selector)
    assert (conn.asked, conn.done) == (0, 0)
    conn.client.sendall(b"x")
    dispatch(selector)
    assert (conn.asked, conn.done) == (1, 0)
    conn.is_enough = True
    dispatch(selector)
    assert (conn.asked, conn.done) == (2, 1)
    dispatch(selector)
    clock.now += 100
    lot.sweep()
    assert (conn.asked, conn.done) == (2, 1)


def test_whose_time_is_up_leaves_as_if_done(
    selector: selectors.BaseSelector, conn: Waiting, clock: SimpleNamespace
) -> None:
    lot = ParkingLot(selector)
    park(lot, conn)
    clock.now += 9.9
    lot.sweep()
    assert conn.done == 0
    clock.now += 0.3
    lot.sweep()
    assert conn.done == 1
    park(lot, conn)
    assert conn.done == 1


def test_nobody_is_waited_for_longer_once_it_is_time_to_go(
    selector: selectors.BaseSelector, conn: Waiting, clock: SimpleNamespace
) -> None:
    lot = ParkingLot(selector)
    brief = Waiting()
    park(lot, conn)
    park(lot, brief, 1)
    lot.hurry(2)
    clock.now += 1.5
    lot.sweep()
    assert (conn.done, brief.done) == (0, 1)
    clock.now += 1
    lot.sweep()
    assert (conn.done, brief.done) == (1, 1)
    brief.close()


def test_who_takes_an_answer_piece_by_piece_has_time_for_each(
    selector: selectors.BaseSelector, conn: Waiting, clock: SimpleNamespace
) -> None:
    lot = ParkingLot(selector)
    lot.park(conn, selectors.EVENT_WRITE, 10, conn.is_done, conn.then)
    for _ in range(3):
        clock.now += 9
        dispatch(selector)
        lot.sweep()
    lot.hurry(1)
    clock.now += 9
    lot.sweep()
    assert (conn.asked, conn.done) == (3, 0)
    clock.now += 2
    lot.sweep()
    assert conn.done == 1


def test_the_heaviest_goes_first_and_nobody_light(selector: selectors.BaseSelector) -> None:
    lot = ParkingLot(selector)
    conns = [Waiting() for _ in range(3)]
    for conn, weight in zip(conns, (10, 30, 20), strict=True):
        conn.sock.sendall(b"x" * weight)
        park(lot, conn)
    assert lot.evict_heaviest(15) is conns[1]
    assert lot.evict_heaviest(15) is conns[2]
    assert lot.evict_heaviest(15) is None
    for conn in conns:
        conn.client.sendall(b"x")
    dispatch(selector)
    assert [conn.asked for conn in conns] == [1, 0, 0]
    for conn in conns:
        conn.close()


def test_who_is_evicted_in_the_middle_of_a_turn_is_asked_no_more(
    selector: selectors.BaseSelector,
) -> None:
    """Its event may have come together with that of whoever has it evicted."""
    lot = ParkingLot(selector)
    conns = [Waiting() for _ in range(2)]
    for conn in conns:
        conn.sock.sendall(b"x" * 100)
        park(lot, conn)
        conn.client.sendall(b"x")
    events = selector.select(0)
    evicted = lot.evict_heaviest(0)
    for key, _ in events:
        key.data(key.fileobj)
    assert [conn.asked for conn in conns] == [0 if conn is evicted else 1 for conn in conns]
    for conn in conns:
        conn.close()


def test_who_is_evicted_while_others_are_late_is_not_late_as_well(
    selector: selectors.BaseSelector, clock: SimpleNamespace
) -> None:
    """All of a burst are late at once, and handing one over may have another let go."""
    lot = ParkingLot(selector)
    conns, evicted = [Waiting() for _ in range(3)], []
    for conn in conns:
        conn.sock.sendall(b"x" * 100)
        late = partial(
            lambda conn, _: (conn.then(conn), evicted.append(lot.evict_heaviest(1))), conn
        )
        lot.park(conn, selectors.EVENT_READ, 10, conn.is_done, late)
    clock.now += 11
    lot.sweep()
    assert [conn.done for conn in conns] == [0 if conn in evicted else 1 for conn in conns]
    assert any(conn in evicted for conn in conns)
    for conn in conns:
        conn.close()


def test_the_memory_of_all_is_known_at_any_time(conn: Waiting) -> None:
    scales, other = Scales(), Waiting()
    conn.client.sendall(b"GET / HTTP/1.1\r\n")
    conn.sock.gather()
    other.sock.sendall(b"1234")
    for each in (conn, other, conn):
        scales.weigh(each)
    assert scales.total == 20
    conn.sock.read_no_more()
    scales.weigh(conn)
    assert scales.total == 4
    scales.forget(other)
    scales.forget(other)
    assert scales.total == 0
    other.close()


def test_the_longest_waiting_reader_is_evicted_and_no_writer(
    selector: selectors.BaseSelector,
) -> None:
    lot = ParkingLot(selector)
    first, writer, second = (Waiting() for _ in range(3))
    for conn, event in ((writer, EVENT_WRITE), (first, EVENT_READ), (second, EVENT_READ)):
        lot.park(conn, event, 10, conn.is_done, conn.then)
    assert [lot.evict_longest_waiting() for _ in range(3)] == [first, second, None]
    assert (first.done, second.done, len(selector.get_map())) == (0, 0, 1)
    for conn in (first, writer, second):
        conn.close()
