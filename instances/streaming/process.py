"""The hub of this process: created for the first waiting client, closed with the process."""

import threading

from instances.streaming.hub import Hub

_lock = threading.Lock()
_hub: Hub | None = None


def hub() -> Hub:
    global _hub
    with _lock:
        if _hub is None:
            _hub = Hub()
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
