"""The hub of this process: created for the first waiting client, closed with the process."""

import asyncio
import threading

from instances.streaming.hub import Hub

_lock = threading.Lock()
_hub: Hub | None = None
_loop: asyncio.AbstractEventLoop | None = None


def run_on(loop: asyncio.AbstractEventLoop) -> None:
    """The web server's loop, for hubs made from now on; without it each has a thread of its own."""
    global _loop
    _loop = loop


def hub() -> Hub:
    global _hub
    with _lock:
        if _hub is None:
            _hub = Hub(loop=_loop)
        return _hub


def begin_closing() -> None:
    """Begin to close the hub. Does not block, so that a signal handler may call it."""
    if _hub is not None:
        _hub.begin_closing()


def close() -> None:
    """Close the hub, if there is one; a later client gets a new one."""
    global _hub
    with _lock:
        ending, _hub = _hub, None
    if ending is not None:
        ending.close()
