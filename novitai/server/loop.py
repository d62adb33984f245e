"""The event loop of a web process: it accepts one connection at a time.

asyncio accepts up to ``backlog`` connections each time that the socket is readable, so one of the
processes that share the socket takes all connections of a burst and does all of their work.
"""

import asyncio
import socket
from typing import Any


class FairLoop(asyncio.SelectorEventLoop):
    """uvicorn takes the class by its option ``loop``."""

    async def create_server(  # type: ignore[override]
        self, *args: Any, sock: socket.socket, backlog: int, **options: Any
    ) -> asyncio.Server:
        """Listen with ``backlog``, but accept one connection for each turn of the loop."""
        server = await super().create_server(*args, sock=sock, backlog=1, **options)
        sock.listen(backlog)  # asyncio has used its own backlog, 1, for this too.
        return server
