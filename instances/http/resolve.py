"""DNS under a deadline."""

from __future__ import annotations

import queue
import socket
import threading
from dataclasses import dataclass

from instances.http.errors import NameNotResolved
from instances.http.exchange import Deadline

# getaddrinfo cannot be interrupted, so a lookup that outlives its deadline keeps a thread until
# the resolver gives up. The bound keeps a dead DNS server from collecting threads without end.
_MAX_LOOKUPS = 64
_lookup_slots = threading.BoundedSemaphore(_MAX_LOOKUPS)


@dataclass(frozen=True, slots=True)
class Address:
    """One result of getaddrinfo: what `socket.socket` and `connect` need."""

    family: int
    kind: int
    protocol: int
    sockaddr: tuple[str | int | bytes, ...]

    @property
    def ip(self) -> str:
        return str(self.sockaddr[0])


_Answer = list[Address] | OSError


def resolve(host: str, port: int, deadline: Deadline) -> list[Address]:
    """The addresses of a host, in the order of the system's preference.

    Touches the network. Raises NameNotResolved, and ExchangeTimeout when the deadline passes.
    """
    if not _lookup_slots.acquire(timeout=deadline.remaining(is_sent=False)):
        raise deadline.expired(is_sent=False)
    answers: queue.SimpleQueue[_Answer] = queue.SimpleQueue()
    lookup = threading.Thread(
        target=_look_up, args=(host, port, answers), name="dns-lookup", daemon=True
    )
    try:
        lookup.start()
    except RuntimeError:
        _lookup_slots.release()
        raise NameNotResolved(f"no thread to look up {host}") from None
    try:
        answer = answers.get(timeout=deadline.remaining(is_sent=False))
    except queue.Empty:
        raise deadline.expired(is_sent=False) from None
    if isinstance(answer, OSError) or not answer:
        raise NameNotResolved(f"no address found for {host}")
    return answer


def _look_up(host: str, port: int, answers: queue.SimpleQueue[_Answer]) -> None:
    try:
        found = socket.getaddrinfo(host, port, socket.AF_UNSPEC, socket.SOCK_STREAM)
        answers.put(
            [Address(family, kind, proto, tuple(sa)) for family, kind, proto, _, sa in found]
        )
    except OSError as error:
        answers.put(error)
    except UnicodeError:  # A label that is empty or longer than 63 characters.
        answers.put(OSError("not a host name"))
    finally:
        _lookup_slots.release()
