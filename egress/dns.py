"""DNS with a deadline."""

from __future__ import annotations

import queue
import socket
import threading
from dataclasses import dataclass

from egress.errors import NameNotResolved
from egress.exchange import Deadline

# getaddrinfo cannot be interrupted: a lookup that passes its deadline keeps its thread until the
# resolver gives up. The limits keep a dead DNS server from using ever more threads. Names chosen by
# customers have a limit of their own: even if many of them are never answered, the host of our own
# configuration (Novita's) is looked up at once.
_MAX_LOOKUPS_OF_OURS = 16
_MAX_LOOKUPS_OF_STRANGERS = 48
_slots_of_ours = threading.BoundedSemaphore(_MAX_LOOKUPS_OF_OURS)
_slots_of_strangers = threading.BoundedSemaphore(_MAX_LOOKUPS_OF_STRANGERS)


@dataclass(frozen=True, slots=True)
class Address:
    """One result of getaddrinfo: the arguments of `socket.socket` and `connect`."""

    family: int
    kind: int
    protocol: int
    sockaddr: tuple[str | int | bytes, ...]

    @property
    def ip(self) -> str:
        return str(self.sockaddr[0])


_Answer = list[Address] | OSError


def resolve(host: str, port: int, deadline: Deadline, *, is_stranger: bool) -> list[Address]:
    """The addresses of a host, in the order of the system's preference.

    ``is_stranger``: a customer or an answer of Novita named the host, not our configuration.

    Uses the network. Raises NameNotResolved, and ExchangeTimeout when the deadline passes.
    """
    slots = _slots_of_strangers if is_stranger else _slots_of_ours
    if not slots.acquire(timeout=deadline.remaining(is_sent=False)):
        raise deadline.expired(is_sent=False)
    answers: queue.SimpleQueue[_Answer] = queue.SimpleQueue()
    lookup = threading.Thread(
        target=_look_up, args=(host, port, answers, slots), name="dns-lookup", daemon=True
    )
    try:
        lookup.start()
    except RuntimeError:
        slots.release()
        raise NameNotResolved(f"no thread to look up {host}") from None
    try:
        answer = answers.get(timeout=deadline.remaining(is_sent=False))
    except queue.Empty:
        raise deadline.expired(is_sent=False) from None
    if isinstance(answer, OSError) or not answer:
        raise NameNotResolved(f"no address found for {host}")
    return answer


def _look_up(
    host: str, port: int, answers: queue.SimpleQueue[_Answer], slots: threading.Semaphore
) -> None:
    try:
        found = socket.getaddrinfo(host, port, socket.AF_UNSPEC, socket.SOCK_STREAM)
        answers.put(
            [Address(family, kind, proto, tuple(sa)) for family, kind, proto, _, sa in found]
        )
    except OSError as error:
        answers.put(error)
    except UnicodeError:  # A label is empty or longer than 63 characters.
        answers.put(OSError("not a host name"))
    finally:
        slots.release()
