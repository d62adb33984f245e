"""The network within the process: from the client's transport to the simulator's Api and back."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count

from devtools.faults.simulated.clock import VirtualClock
from devtools.faults.simulated.network_conditions import LATEST_SECONDS, NetworkConditions
from devtools.simulator.api import Api
from devtools.simulator.errors import ApiError
from devtools.simulator.http import Request, Response, json_response
from egress.errors import BrokenResponse, ConnectFailed, ConnectionLost, TransportError
from egress.exchange import Deadline
from egress.transport import HttpRequest, HttpResponse

NOT_ACTING = frozenset({"refused", "reset", "stale", "timeout", "late"})
TIMEOUTS = frozenset({"timeout", "slow", "late"})


@dataclass(slots=True)
class Network:
    """Replaces the client's Transport. ``at_call`` may raise where a process would die."""

    api: Api
    clock: VirtualClock
    conditions: NetworkConditions
    tell: Callable[[str], None]
    at_call: Callable[[str], None] = lambda place: None
    faults: Counter[str] = field(default_factory=Counter)
    _late: list[tuple[int, int, Request]] = field(default_factory=list)
    _number: count[int] = field(default_factory=count)

    def exchange(
        self,
        request: HttpRequest,
        deadline: Deadline,
        *,
        is_fresh: bool = False,
        **options: object,
    ) -> HttpResponse:
        """Like Transport.exchange, with the same errors."""
        call = _parsed(request)
        kind = self.conditions.strikes(call.path, self.clock.now_ms, is_write=call.method == "POST")
        if kind == "stale" and is_fresh:
            kind = "reset"
        self._note(call, kind)
        if not call.path.endswith("/instance/create"):
            # A create has its own point there, where a process is frozen only for a short time.
            self.at_call("call.before")
        response = self._act(call, kind, deadline)
        self.at_call("call.after")
        if kind in TIMEOUTS:
            self.clock.sleep(deadline.timeout_seconds)
        elif kind != "refused":
            self.clock.sleep(self.conditions.latency_seconds())
        return _seen(kind, response, deadline, self.conditions)

    def _act(self, call: Request, kind: str, deadline: Deadline) -> Response | None:
        if kind == "late":
            after = deadline.timeout_seconds + self.conditions.random.uniform(0, LATEST_SECONDS)
            at_ms = self.clock.now_ms + round(after * 1000)
            heapq.heappush(self._late, (at_ms, next(self._number), call))
        if kind in NOT_ACTING or (kind[:1].isdigit() and not kind.endswith("done")):
            return None
        return self.api.handle(call).response

    def _note(self, call: Request, kind: str) -> None:
        what = f"{call.method} {call.path.rpartition('/gpu')[2] or call.path}"
        subject = call.query.get("instanceId") or call.query.get("name") or _named(call)
        self.tell(f"{what} {subject}{f' !! {kind}' if kind else ''}".replace("  ", " "))
        if kind:
            self.faults[kind] += 1

    def next_late_ms(self) -> int | None:
        """Arrival time of the next call whose caller has given up."""
        return self._late[0][0] if self._late else None

    def deliver_late(self) -> None:
        """Deliver the calls that are due by now."""
        while self._late and self._late[0][0] <= self.clock.now_ms:
            _, _, call = heapq.heappop(self._late)
            status = self.api.handle(call).response.status
            self.tell(f"late: {call.method} {call.path} {_named(call)} -> {status}")


def _parsed(request: HttpRequest) -> Request:
    target = request.url.partition("//")[2].partition("/")[2]
    return Request.parse(request.method, f"/{target}", dict(request.headers), request.body or b"")


def _named(call: Request) -> str:
    try:
        body = call.json()
    except ApiError:
        return ""
    return str(body.get("instanceId") or body.get("name") or "")


def _seen(
    kind: str, response: Response | None, deadline: Deadline, conditions: NetworkConditions
) -> HttpResponse:
    """The caller's result: an answer, or an error of the transport."""
    if (error := _error(kind, deadline)) is not None:
        raise error
    if response is None or kind.endswith("done"):
        response = _refusal(kind, conditions)
    body = {"garbage": b"<html>502 Bad Gateway</html>", "empty": b""}.get(kind, response.body)
    headers = {name.lower(): value for name, value in response.headers.items()}
    return HttpResponse(response.status, headers, body)


def _error(kind: str, deadline: Deadline) -> TransportError | None:
    if kind in TIMEOUTS:
        return deadline.expired(is_sent=True)
    if kind == "refused":
        return ConnectFailed("connection refused")
    if kind == "broken":
        return BrokenResponse("not an HTTP response")
    if kind in ("reset", "lost", "stale"):
        return ConnectionLost("connection reset", is_stale=kind == "stale")
    return None


def _refusal(kind: str, conditions: NetworkConditions) -> Response:
    status = int(kind[:3])
    reason = {429: "RATE_LIMIT_EXCEEDED", 403: "FORBIDDEN"}.get(status, "UNKNOWN")
    response = json_response({"code": status, "reason": reason, "message": "simulated"}, status)
    if kind == "429 patient":
        response.headers["Retry-After"] = str(conditions.random.choice((1, 5, 30)))
    return response
