"""DNS with a deadline, in a limited number of threads.

getaddrinfo cannot be interrupted: a look-up that passes its deadline keeps its thread until the
resolver gives up, which takes up to half a minute. So look-ups are done in places, and names whose
servers are silent get few of them:

- Hosts of our own configuration (Novita's, the proxy's) and hosts that a customer chose have places
  of their own: no customer's name can hold up a call to Novita.
- Callers that look up the same host share one look-up. A second one begins only if the first has
  no answer after a second, and there is no third.
- Hosts of one site (`a.example.com`, `b.example.com`) have six places together, and the last third
  of the places is for sites that hold none.
"""

from __future__ import annotations

import socket
import threading
import time
from collections import Counter
from dataclasses import dataclass
from ipaddress import ip_address

from egress.errors import NameNotResolved
from egress.exchange import Deadline

_MOST_PER_HOST = 2
_SECOND_AFTER_SECONDS = 1.0


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

    @property
    def text(self) -> str:
        """`192.0.2.1:443` or `[2001:db8::1]:443`."""
        ip, port = self.ip, int(self.sockaddr[1])
        return f"[{ip}]:{port}" if ":" in ip else f"{ip}:{port}"


def resolve(host: str, port: int, deadline: Deadline, *, is_stranger: bool) -> list[Address]:
    """The addresses of a host, in the order of the system's preference.

    ``is_stranger``: a customer or an answer of Novita named the host, not our configuration.

    Uses the network. Raises NameNotResolved, and ExchangeTimeout when the deadline passes.
    """
    if _is_literal(host):  # Needs no server, so it never waits for a place.
        answer = _ask(host, port)
    else:
        places = _strangers if is_stranger else _ours
        answer = places.look_up(host, port, deadline).wait(deadline)
    if isinstance(answer, OSError) or not answer:
        raise NameNotResolved(f"no address found for {host}")
    return answer


class _Lookup:
    """One call of getaddrinfo; any number of threads may wait for its answer."""

    def __init__(self, host: str, port: int) -> None:
        self.host, self.port = host, port
        self._began = time.monotonic()
        self._is_done = threading.Event()
        self._answer: list[Address] | OSError = []

    @property
    def is_late(self) -> bool:
        return time.monotonic() - self._began >= _SECOND_AFTER_SECONDS

    def finish(self, answer: list[Address] | OSError) -> None:
        self._answer = answer
        self._is_done.set()

    def wait(self, deadline: Deadline) -> list[Address] | OSError:
        if not self._is_done.wait(deadline.remaining(is_sent=False)):
            raise deadline.expired(is_sent=False)
        return self._answer


class Places:
    """Where look-ups run: at most `most` at a time, `most_per_site` of them for one site.

    The last `reserve` places are for sites without a running look-up.
    """

    def __init__(self, most: int, *, most_per_site: int, reserve: int = 0) -> None:
        self._most, self._most_per_site, self._reserve = most, most_per_site, reserve
        self._changed = threading.Condition()
        self._running: dict[tuple[str, int], list[_Lookup]] = {}
        self._sites: Counter[str] = Counter()

    def look_up(self, host: str, port: int, deadline: Deadline) -> _Lookup:
        """A look-up of this host that is running, or a new one as soon as there is a place.

        Raises ExchangeTimeout if there is none before the deadline, and NameNotResolved.
        """
        with self._changed:
            while (lookup := self._joined_or_begun(host, port)) is None:
                if not self._changed.wait(deadline.remaining(is_sent=False)):
                    raise deadline.expired(is_sent=False)
            return lookup

    def _joined_or_begun(self, host: str, port: int) -> _Lookup | None:
        running = self._running.get((host, port), [])
        has_place = self._has_place(site_of(host))
        needs_another = not running or (len(running) < _MOST_PER_HOST and running[-1].is_late)
        if needs_another and has_place:
            return self._begin(host, port)
        return running[-1] if running else None

    def _has_place(self, site: str) -> bool:
        held = self._sites[site]
        most = self._most - (self._reserve if held else 0)
        return held < self._most_per_site and self._sites.total() < most

    def _begin(self, host: str, port: int) -> _Lookup:
        lookup = _Lookup(host, port)
        thread = threading.Thread(target=self._run, args=(lookup,), name="dns-lookup", daemon=True)
        try:
            thread.start()
        except RuntimeError:
            raise NameNotResolved(f"no thread to look up {host}") from None
        # The thread cannot have ended yet: its end takes the lock that is held here.
        self._running.setdefault((host, port), []).append(lookup)
        self._sites[site_of(host)] += 1
        return lookup

    def _run(self, lookup: _Lookup) -> None:
        answer: list[Address] | OSError = OSError("the look-up failed")
        try:
            answer = _ask(lookup.host, lookup.port)
        finally:
            # Ended before it is answered: who asks after the answer gets a look-up of its own.
            with self._changed:
                self._end(lookup)
                self._changed.notify_all()
            lookup.finish(answer)

    def _end(self, lookup: _Lookup) -> None:
        key, site = (lookup.host, lookup.port), site_of(lookup.host)
        self._running[key].remove(lookup)
        if not self._running[key]:
            del self._running[key]
        self._sites[site] -= 1
        if not self._sites[site]:
            del self._sites[site]


def site_of(host: str) -> str:
    """The domain that a host belongs to, by a rule of thumb: its last two labels, or three below
    names like `co.uk`. Where that is too wide, strangers share six places: healthy look-ups take
    milliseconds.
    """
    labels = host.lower().removesuffix(".").split(".")
    is_country = len(labels) > 2 and len(labels[-1]) == 2 and len(labels[-2]) <= 3
    return ".".join(labels[-3:] if is_country else labels[-2:])


def _is_literal(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _ask(host: str, port: int) -> list[Address] | OSError:
    try:
        found = socket.getaddrinfo(host, port, socket.AF_UNSPEC, socket.SOCK_STREAM)
        return [Address(family, kind, proto, tuple(sa)) for family, kind, proto, _, sa in found]
    except OSError as error:
        return error
    except UnicodeError:  # A label is empty or longer than 63 characters.
        return OSError("not a host name")


_ours = Places(16, most_per_site=16)
_strangers = Places(48, most_per_site=6, reserve=16)
