"""The proxy does to a line what it is told to, and nothing else."""

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from devtools.faults.real.proxy import Proxy


class EchoServer:
    """Answers every line with itself; ``heard`` is all that came, ``ended`` that a client left."""

    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener
        self.heard: list[bytes] = []
        self.ended = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client:
            try:
                while data := client.recv(65536):
                    self.heard.append(data)
                    client.sendall(data)
            except OSError:
                pass
        self.ended.set()


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as made:
        yield made
        made.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def server(listener: socket.socket) -> EchoServer:
    return EchoServer(listener)


@pytest.fixture
def proxy(server: EchoServer, listener: socket.socket) -> Iterator[Proxy]:
    with Proxy(listener.getsockname()) as made:
        yield made


def connect(proxy: Proxy) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.port), timeout=5)


def ask(client: socket.socket, text: bytes = b"hello") -> bytes:
    client.sendall(text)
    return client.recv(65536)


def seconds_to_ask(client: socket.socket) -> float:
    begun = time.monotonic()
    assert ask(client) == b"hello"
    return time.monotonic() - begun


def test_what_is_sent_arrives_and_so_does_the_answer(proxy: Proxy) -> None:
    with connect(proxy) as client:
        assert ask(client) == b"hello"
        assert ask(client, b"again") == b"again"
    assert proxy.connections == 1


def test_much_arrives_whole(proxy: Proxy) -> None:
    text = bytes(range(256)) * 8000
    with connect(proxy) as client:
        threading.Thread(target=client.sendall, args=(text,), daemon=True).start()
        received = b""
        while len(received) < len(text):
            received += client.recv(65536)
    assert received == text


def test_the_end_of_a_client_is_passed_on(proxy: Proxy, server: EchoServer) -> None:
    with connect(proxy) as client:
        ask(client)
    assert server.ended.wait(5)


def test_latency_delays_each_direction(proxy: Proxy) -> None:
    proxy.set_latency(0.1)
    with connect(proxy) as client:
        assert seconds_to_ask(client) >= 0.2
        proxy.heal()
        # The best of some: others may be using the machine.
        assert min(seconds_to_ask(client) for _ in range(10)) < 0.2


def test_a_reset_reaches_both_sides_and_the_next_connection_works(
    proxy: Proxy, server: EchoServer
) -> None:
    with connect(proxy) as client:
        ask(client)
        assert proxy.reset() == 1
        with pytest.raises(ConnectionResetError):
            client.recv(1)
    assert server.ended.wait(5)
    with connect(proxy) as client:
        assert ask(client) == b"hello"


def test_after_a_half_close_the_client_still_speaks_and_hears_nothing(
    proxy: Proxy, server: EchoServer
) -> None:
    with connect(proxy) as client:
        ask(client)
        assert proxy.half_close() == 1
        assert client.recv(1) == b""
        client.sendall(b"more")
        assert server.ended.wait(5)
    assert b"".join(server.heard) == b"hellomore"


def test_in_a_blackout_nothing_passes_and_afterwards_all_of_it(
    proxy: Proxy, server: EchoServer
) -> None:
    with connect(proxy) as client:
        ask(client)
        proxy.black_out(30)
        client.sendall(b"lost?")
        client.settimeout(0.15)
        with pytest.raises(TimeoutError):
            client.recv(1)
        assert server.heard == [b"hello"]
        proxy.heal()
        client.settimeout(5)
        assert client.recv(65536) == b"lost?"


def test_a_blackout_ends_by_itself_and_holds_new_connections_back(proxy: Proxy) -> None:
    proxy.black_out(0.2)
    begun = time.monotonic()
    with connect(proxy) as client:
        assert ask(client) == b"hello"
    assert time.monotonic() - begun >= 0.2


def test_where_nobody_listens_the_client_is_reset() -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        address = gone.getsockname()
    # As early as while it connects.
    with Proxy(address) as proxy, pytest.raises(ConnectionResetError), connect(proxy) as client:
        client.recv(1)


def test_a_unix_socket_can_stand_behind_it(tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        EchoServer(listener)
        with Proxy(path) as proxy, connect(proxy) as client:
            assert ask(client) == b"hello"
        listener.shutdown(socket.SHUT_RDWR)


def test_its_end_closes_what_was_open(server: EchoServer, listener: socket.socket) -> None:
    with Proxy(listener.getsockname()) as proxy:
        client = connect(proxy)
        ask(client)
    with client:
        assert client.recv(1) == b""
    assert server.ended.wait(5)
