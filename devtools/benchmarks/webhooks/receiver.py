"""Receivers in one process: ``python -m devtools.benchmarks.webhooks.receiver COUNT``.

Listens on COUNT free ports of 127.0.0.1, each a host of its own to the service, and prints them as
JSON. POST /ok answers 204 at once; POST /hang never answers. GET /arrivals answers with the
messages since the last time: id and Unix time of arrival.
"""

import asyncio
import contextlib
import json
import sys
import time

_OK = b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n"


class Receivers:
    """Notes what arrives."""

    def __init__(self) -> None:
        self.arrivals: list[tuple[str, float]] = []

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, ValueError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            at = time.time()
            fields = dict(
                line.lower().split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line
            )
            await reader.readexactly(int(fields.get("content-length", "0")))
            if head.startswith("GET"):
                writer.write(self._report())
            elif " /hang" in head.split("\r\n")[0]:
                await reader.read()  # Until the client gives up.
            else:
                self.arrivals.append((fields["webhook-id"], at))
                writer.write(_OK)
            await writer.drain()
        writer.close()

    def _report(self) -> bytes:
        body = json.dumps(self.arrivals).encode()
        self.arrivals.clear()
        head = f"HTTP/1.1 200 OK\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
        return head.encode() + body


async def main(count: int) -> None:
    receivers = Receivers()
    servers = [
        await asyncio.start_server(receivers.answer, "127.0.0.1", 0, limit=2**17)
        for _ in range(count)
    ]
    ports = [server.sockets[0].getsockname()[1] for server in servers]
    sys.stdout.write(json.dumps(ports) + "\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
