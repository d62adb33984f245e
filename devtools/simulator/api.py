"""Answers a request: fault, key, rate limit, route, ledger. Uses no sockets."""

from __future__ import annotations

import hmac
import time
from collections.abc import Callable
from dataclasses import dataclass

from devtools.simulator.calls import CallLog
from devtools.simulator.clock import real_now_ms
from devtools.simulator.errors import ApiError, DoneAnywayError, refused_key, unauthorized
from devtools.simulator.faults import Fault, FaultPlan
from devtools.simulator.http import Json, Request, Response, Routes, json_response, text_response
from devtools.simulator.presets import PRESETS
from devtools.simulator.ratelimit import RateLimiter
from devtools.simulator.routes import (
    account,
    catalogue,
    changes,
    instances,
    jobs,
    monthly,
    prewarm,
    serverless,
    storage,
    templates,
)
from devtools.simulator.world.world import World

GPU_BASE = "/gpu-instance/openapi/v1"
ACCOUNT_BASE = "/openapi/v1"
GPU_MODULES = (catalogue, instances, changes, templates, storage, jobs, prewarm, serverless)
ACCOUNT_MODULES = (account, monthly)

SEVERING = ("reset", "close", "hang")
"""Effects after which the client gets no answer."""


def routes() -> Routes:
    """Every call of the service by method and full path."""
    bases = ((GPU_BASE, GPU_MODULES), (ACCOUNT_BASE, ACCOUNT_MODULES))
    found = {
        (method, base + path): handler
        for base, modules in bases
        for module in modules
        for (method, path), handler in module.ROUTES.items()
    }
    return {**found, **monthly.OLDER_ROUTES}


@dataclass(frozen=True)
class Answer:
    """The response to send, and the fault (if any) that the server applies to the connection."""

    response: Response
    fault: Fault | None = None

    @property
    def is_severed(self) -> bool:
        return self.fault is not None and self.fault.effect in SEVERING


class Api:
    """The upstream service over a world; safe for many threads."""

    def __init__(
        self,
        world: World,
        api_key: str,
        sleep: Callable[[float], object] = time.sleep,
        real_ms: Callable[[], int] = real_now_ms,
    ) -> None:
        self.world = world
        self.calls = CallLog()
        self.limiter = RateLimiter()
        self._authorization = f"Bearer {api_key}"
        self._sleep = sleep
        self._real_ms = real_ms
        self._routes = routes()
        self._paths = {path for _, path in self._routes}
        stored = world.store.fact("faults") or []
        self.plan = FaultPlan([Fault(**body) for body in stored])

    def handle(self, request: Request) -> Answer:
        """Answer one call. Latency faults sleep here, without holding a lock."""
        fault = self._strike(request)
        if fault and fault.when == "before":
            self._sleep(fault.latency_seconds)
        response = self._perform(request, fault)
        if fault and fault.when == "after":
            self._sleep(fault.latency_seconds)
        return Answer(response, fault)

    def _strike(self, request: Request) -> Fault | None:
        with self.world.session():
            fault, counted = self.plan.strike(request, self._real_ms())
            if counted:
                self.save_faults()
        return fault

    def add_fault(self, fault: Fault) -> None:
        """Needs the world's session."""
        self.plan.add(fault, self._real_ms())
        self.save_faults()

    def save_faults(self) -> None:
        """Needs the world's session."""
        self.world.store.put_fact("faults", [fault.as_json() for fault in self.plan.faults])

    def _perform(self, request: Request, fault: Fault | None) -> Response:
        """Execute the call, unless the fault keeps it from the world, and record it."""
        answered = acted = None
        with self.world.session() as now_ms:
            if not (fault and fault.when == "before" and fault.effect in (*SEVERING, "status")):
                answered, acted = self._serve(request, now_ms)
            seen = _as_seen(answered, fault)
            if request.method == "POST":
                self._note_ledger(request, now_ms, answered, acted=bool(acted), fault=fault)
        severed = fault is not None and fault.effect in SEVERING
        name = f"{fault.effect} {fault.when}" if fault else ""
        self.calls.note(request, 0 if severed else seen.status, self._real_ms(), now_ms, name)
        return seen

    def _serve(self, request: Request, now_ms: int) -> tuple[Response, bool]:
        """The response, and True if the call took effect."""
        handler = self._routes.get((request.method, request.path))
        gateway = self.world.settings.unknown_route
        if handler is None and gateway:
            return _as_seen(None, Fault(**PRESETS[gateway])), False
        try:
            self._admit(request)
            if handler is None:
                known = request.path in self._paths
                return text_response("404 page not found\n", 405 if known else 404), False
            body = handler(self.world, now_ms, request)
            return (Response() if body is None else json_response(body)), True
        except ApiError as error:
            response = json_response(error.body(), error.status)
            response.headers.update(error.headers)
            return response, isinstance(error, DoneAnywayError)

    def _admit(self, request: Request) -> None:
        settings = self.world.settings
        given = request.headers.get("authorization", "")
        if not hmac.compare_digest(given.encode(), self._authorization.encode()):
            raise unauthorized(settings.bad_key_status)
        if settings.refused_key is not None:
            raise refused_key(**settings.refused_key)
        seconds = self.limiter.wait_seconds(settings.rate_limit_per_minute, self._real_ms())
        if seconds:
            error = ApiError(429, "RATE_LIMIT_EXCEEDED", "too many requests")
            if settings.rate_limit_retry_after:
                error.headers["Retry-After"] = str(seconds)
            raise error

    def _note_ledger(
        self,
        request: Request,
        now_ms: int,
        answered: Response | None,
        *,
        acted: bool,
        fault: Fault | None,
    ) -> None:
        self.world.store.append_ledger(
            {
                "simMs": now_ms,
                "realMs": self._real_ms(),
                "path": request.path,
                **_subject(request, answered),
                "acted": acted,
                "status": answered.status if answered else 0,
                "fault": f"{fault.effect} {fault.when}" if fault else "",
            }
        )


def _subject(request: Request, answered: Response | None) -> Json:
    """The instance that a call was about, by id or (for a create) by name."""
    try:
        body = request.json()
        answer = Request("POST", "", body=answered.body).json() if answered else {}
    except ApiError:
        return {"instanceId": "", "name": "", "reason": ""}
    return {
        "instanceId": body.get("instanceId") or _made_id(answer),
        "name": body.get("name") or "",
        "reason": answer.get("reason", ""),
    }


def _made_id(answer: Json) -> str:
    """The id in the answer of a create, in any of its forms."""
    inner = answer.get("data")
    found = inner if isinstance(inner, dict) else answer
    made = found.get("id") or found.get("instanceId")
    return made if isinstance(made, str) else ""


def _as_seen(answered: Response | None, fault: Fault | None) -> Response:
    """The response that the client is to get: the true one, or that of the fault."""
    if fault is None or fault.effect != "status":
        return answered or Response()
    if fault.is_empty:
        response = Response(fault.status)
    elif fault.answer or fault.content_type:
        response = Response(fault.status, fault.answer.encode())
        response.headers["Content-Type"] = fault.content_type or "text/html"
    else:
        reason = fault.reason or ("RATE_LIMIT_EXCEEDED" if fault.status == 429 else "UNKNOWN")
        error = ApiError(fault.status, reason, fault.message)
        response = json_response(error.body(), fault.status)
    response.headers.update(fault.headers)
    if fault.retry_after is not None:
        response.headers["Retry-After"] = str(fault.retry_after)
    return response
