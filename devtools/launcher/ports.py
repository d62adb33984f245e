"""Finds free TCP ports on the address of the servers."""

import random
import socket
from pathlib import Path

# Below the ports that Linux and macOS use for outgoing connections, so it stays free.
_KEPT_RANGE = range(20_000, 30_000)


def is_free(host: str, port: int) -> bool:
    """True if a server could listen there now."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        # As servers do: recently closed connections do not block the port.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def free_port(host: str = "127.0.0.1") -> int:
    with socket.socket() as probe:
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
        return port


def kept_port(path: Path, host: str = "127.0.0.1") -> int:
    """The port written in `path`; a new one if there is none or another process uses it now."""
    port = int(path.read_text()) if path.exists() else 0
    while not (port and is_free(host, port)):
        port = random.choice(_KEPT_RANGE)  # noqa: S311 - nothing depends on its being secret
        path.write_text(str(port))
    return port
