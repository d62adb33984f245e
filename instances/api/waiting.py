"""Waiting over HTTP: until an instance has a requested status, and for events (streams)."""

import time
from collections.abc import Callable
from http import HTTPStatus
from types import SimpleNamespace
from typing import Any

from django.http.response import HttpResponseBase, StreamingHttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import (
    APIException,
    AuthenticationFailed,
    Throttled,
    ValidationError,
)
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.rest.authentication import KEY_REFUSED, Caller, caller_of
from core.clock import database_now
from instances.api import waiting_documentation as documentation
from instances.api.views import find_instance
from instances.api.waiting_filters import (
    DEFAULT_STATUSES,
    MOST_SECONDS,
    NO_SUCH_EVENT,
    StreamQuery,
    WaitQuery,
    read_query,
)
from instances.lifecycle.representation import InstanceDetails
from instances.models import Instance, InstanceEvent
from instances.streaming import process_hub, queries
from instances.streaming.connection_limits import LimitReached
from instances.streaming.deferred_response import DeferredResponse
from instances.streaming.queries import BEGINNING, Key
from instances.streaming.subscribers import (
    Refusal,
    Stream,
    Wait,
    WaitedDetails,
    WaitEnd,
    is_out_of_reach,
)

RETRY_AFTER_SECONDS = 5
STREAM_TYPE = "text/event-stream"
_STREAM_IN_UTF8 = f"{STREAM_TYPE}; charset=utf-8"


class WaitView(APIView):
    """Answers when the instance has one of the requested statuses, or when the time is up."""

    @extend_schema(**documentation.WAIT)
    def get(self, request: Request, id: str) -> HttpResponseBase:  # noqa: A002 - the path's own word
        query = read_query(WaitQuery, request)
        caller = caller_of(request)
        instance = find_instance(caller, id)
        wait = _wait_for(instance, caller, query, self._refusal_for(request))
        if request.method == "HEAD" or _is_over(wait, instance, query):
            return Response(_answer(wait, instance))
        return _later(wait, "application/json")

    def _refusal_for(self, request: Request) -> Callable[[], Refusal]:
        """As a request would be answered that comes with a dead key. Keeps of this one its id only:
        thousands may wait.
        """
        handler = self.get_exception_handler()
        named = SimpleNamespace(request_id=getattr(request, "request_id", ""))

        def refuse() -> Refusal:
            answer = handler(AuthenticationFailed(KEY_REFUSED), {"request": named, "view": None})
            return Refusal(HTTPStatus.UNAUTHORIZED, answer.content if answer is not None else b"")

        return refuse


def _wait_for(
    instance: Instance, caller: Caller, query: dict[str, Any], refuse: Callable[[], Refusal]
) -> Wait:
    return Wait(
        project_id=instance.project_id,
        api_key_id=caller.api_key.pk,
        refuse=refuse,
        instance_id=instance.pk,
        statuses=query.get("status", frozenset(DEFAULT_STATUSES)),
        after=query.get("after_sequence", instance.sequence),
        deadline=time.monotonic() + query.get("timeout", MOST_SECONDS),
    )


def _is_over(wait: Wait, instance: Instance, query: dict[str, Any]) -> bool:
    """Whether there is nothing to wait for: it is there, never will be, or has no time left."""
    if "after_sequence" in query:
        wait.take(queries.arrivals_after({instance.pk: wait.after}))
    elif instance.status in wait.statuses:
        wait.end = WaitEnd.REACHED
        wait.reached = queries.Arrival(instance.pk, instance.sequence, instance.status)
    if wait.end is None and is_out_of_reach(instance.status, wait.statuses):
        wait.end = WaitEnd.UNREACHABLE
    if wait.end is None and query.get("timeout") == 0:
        wait.end = WaitEnd.TIMEOUT
    return wait.end is not None


def _answer(wait: Wait, instance: Instance) -> dict[str, Any]:
    details = InstanceDetails.of(instance, now=database_now())
    end = wait.end or WaitEnd.TIMEOUT
    return WaitedDetails.of(details, instance.sequence, end, wait.reached).as_json()


class EventStreamRenderer(BaseRenderer):
    """Names what is answered: streams write themselves, and errors are JSON anyway."""

    media_type = STREAM_TYPE
    format = "sse"


class EventStreamView(APIView):
    """Every event of the caller's project, as it happens (Server-Sent Events)."""

    renderer_classes = [EventStreamRenderer]

    @extend_schema(**documentation.STREAM)
    def get(self, request: Request) -> HttpResponseBase:
        query = read_query(StreamQuery, request)
        stream = _stream_for(caller_of(request), query, _last_event_id(request, query))
        answer: HttpResponseBase
        if request.method == "HEAD":
            answer = StreamingHttpResponse((), content_type=_STREAM_IN_UTF8)
        else:
            answer = _later(stream, _STREAM_IN_UTF8)
        # nginx would keep events until its buffer is full.
        answer["X-Accel-Buffering"] = "no"
        return answer


def _last_event_id(request: Request, query: dict[str, Any]) -> str:
    """The header is the browser's own, and newer than the address it began with."""
    header = request.headers.get("Last-Event-ID", "")
    if header:
        query = StreamQuery(data={"lastEventId": header})  # type: ignore[assignment]
        query.is_valid(raise_exception=True)  # type: ignore[attr-defined]
        return str(query.validated_data["lastEventId"])  # type: ignore[attr-defined]
    return str(query.get("lastEventId", ""))


def _stream_for(caller: Caller, query: dict[str, Any], last_event_id: str) -> Stream:
    instance = find_instance(caller, query["instance"]) if "instance" in query else None
    first_id, cursor = _position(caller.project.pk, last_event_id)
    return Stream(
        project_id=caller.project.pk,
        api_key_id=caller.api_key.pk,
        cursor=cursor,
        first_id=first_id,
        instance_id=instance.pk if instance else None,
        types=query.get("types"),
    )


def _position(project_id: int, last_event_id: str) -> tuple[str, Key]:
    """Behind which event a stream begins. An unknown one is refused: going on from anywhere else
    would leave out something that the client believes it has seen.
    """
    if not last_event_id:
        return queries.newest_final(project_id) or ("start", BEGINNING)
    if last_event_id == "start":
        return "start", BEGINNING
    row = InstanceEvent.objects.filter(project_id=project_id, public_id=last_event_id)
    found = row.values_list("xid", "pk").first()
    if found is None:
        raise ValidationError({"lastEventId": [NO_SUCH_EVENT]})
    return last_event_id, found


def _later(client: Wait | Stream, content_type: str) -> DeferredResponse:
    try:
        release = process_hub.hub().connection_limits.take(client.project_id)
    except LimitReached as full:
        raise (_TooMany() if full.is_of_project else _Full()) from None
    return DeferredResponse(client, release=release, content_type=content_type)


class _TooMany(Throttled):
    """429: the project's own number."""

    default_code = "TOO_MANY_WAITING"

    def __init__(self) -> None:
        text = "The project has as many open waits and streams as it may."
        APIException.__init__(self, text, self.default_code)
        self.wait = RETRY_AFTER_SECONDS


class _Full(APIException):
    """503: everybody's."""

    status_code = 503
    default_detail = "As many clients wait here as may; come back in a moment."
    default_code = "SERVICE_UNAVAILABLE"
    wait = RETRY_AFTER_SECONDS
