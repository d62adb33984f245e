"""How the processes of the web server share their socket."""

import asyncio
import socket
from contextlib import ExitStack

from devtools.launcher.ports import free_port
from novitai.env.config import load_config
from novitai.server.__main__ import listener
from novitai.server.loop import FairLoop

CLIENTS = 20


def test_an_answer_in_two_parts_does_not_wait_for_its_client() -> None:
    """Without it, each answer on a kept connection takes 40 ms more."""
    config = load_config({"PORT": str(free_port())})
    with listener(config, None, 5) as shared, socket.create_connection(shared.getsockname()):
        connection, _ = shared.accept()
        with connection:
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_a_process_leaves_connections_of_a_burst_to_the_others() -> None:
    loop = FairLoop()
    accepted: list[asyncio.Transport] = []

    class Client(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            assert isinstance(transport, asyncio.Transport)
            accepted.append(transport)

    with ExitStack() as stack:
        stack.callback(loop.close)
        shared = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        server = loop.run_until_complete(loop.create_server(Client, sock=shared, backlog=CLIENTS))
        for _ in range(CLIENTS):
            stack.enter_context(socket.create_connection(shared.getsockname()))
        most, before = 0, 0
        while len(accepted) < CLIENTS:
            loop.run_until_complete(asyncio.sleep(0))
            most, before = max(most, len(accepted) - before), len(accepted)
        server.close()
        for transport in accepted:
            transport.abort()
        loop.run_until_complete(asyncio.sleep(0))
    # A few turns of the loop happen between two looks.
    assert most < CLIENTS // 2
