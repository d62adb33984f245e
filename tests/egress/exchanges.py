"""One exchange over a transport, and servers that answer with given bytes."""

from __future__ import annotations

from egress.exchange import Deadline
from egress.transport import HttpRequest
from tests.egress.raw_server import Peer

CAP = 10_000


def exchange(transport, url, *, method="GET", headers=None, body=None, **options):
    request = HttpRequest(method, url, headers or {}, body)
    return transport.exchange(request, Deadline(5), **options)


def answering(data: bytes):
    def script(peer: Peer) -> None:
        peer.read_request()
        peer.send(data)

    return script
