"""The process's one hub: made for the first who waits, ended with the process."""

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
    """Tell those who wait that this process stops; takes no time, so a signal may call it."""
    if _hub is not None:
        _hub.begin_closing()


def close() -> None:
    """End the hub, if there is one; the next who waits gets a new one."""
    global _hub
    with _lock:
        ending, _hub = _hub, None
    if ending is not None:
        ending.close()
