"""Clients of the web server that send bytes of their own choice."""

import re
import socket
from contextlib import ExitStack

import requests

from tests.support.web_server import PATIENCE

LIVEZ = b"GET /livez HTTP/1.1\r\nHost: x\r\n"
GET = LIVEZ + b"\r\n"
POST = b"POST /api/instances HTTP/1.1\r\nHost: x\r\n"


def connect(service: str, clients: ExitStack, *, buffer: int | None = None) -> socket.socket:
    client = clients.enter_context(socket.socket())
    if buffer is not None:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    client.settimeout(PATIENCE)
    client.connect(("127.0.0.1", int(service.rsplit(":", 1)[1])))
    return client


def is_served(service: str) -> bool:
    return requests.get(f"{service}/livez", timeout=PATIENCE).status_code == 200


def answers_of(client: socket.socket, count: int) -> list[bytes]:
    """Status lines, of answers that follow one another."""
    received, lines = b"", []
    while len(lines) < count and (data := client.recv(100_000)):
        received += data
        lines = re.findall(rb"HTTP/1\.\d [^\r]*", received)
    return lines
