"""Replays over the API."""

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from accounts.rest.authentication import caller_of
from accounts.rest.idempotency import idempotent
from core.request_bodies import refuse_body
from webhooks.api import documentation
from webhooks.api.answers import ReplayDetails, ReplayList
from webhooks.api.common import (
    find_endpoint,
    find_replay,
    translated_errors,
)
from webhooks.api.serializers import StartReplay
from webhooks.models import Replay
from webhooks.services import replays


class ReplayViewSet(GenericViewSet[Replay]):
    """Replays of the caller's project."""

    queryset = Replay.objects.all()
    serializer_class = StartReplay
    page = ReplayList
    page_order = "-id"
    query_parameters = ()

    def get_queryset(self) -> QuerySet[Replay]:
        rows = Replay.objects.filter(project=caller_of(self.request).project)
        return rows.select_related("endpoint")

    @extend_schema(**documentation.REPLAY)
    @idempotent
    def start(self, request: Request, id: str) -> Response:  # noqa: A002 - the path's own word
        found = find_endpoint(request, id)
        wanted = StartReplay.range(request.data)
        with translated_errors():
            replay = replays.start(found, wanted, actor=caller_of(request).actor)
        location = {"Location": f"/api/replays/{replay.public_id}"}
        return Response(ReplayDetails.of(replay).as_json(), status=202, headers=location)

    @extend_schema(**documentation.LIST_REPLAYS)
    def list(self, request: Request) -> Response:
        page = self.paginate_queryset(self.get_queryset())
        return self.get_paginated_response([ReplayDetails.of(row) for row in page or []])

    @extend_schema(**documentation.GET_REPLAY)
    def retrieve(self, request: Request, id: str) -> Response:  # noqa: A002 - see above
        return Response(ReplayDetails.of(find_replay(request, id)).as_json())

    @extend_schema(**documentation.CANCEL_REPLAY)
    @idempotent
    def cancel(self, request: Request, id: str) -> Response:  # noqa: A002 - see above
        refuse_body(request)
        found = find_replay(request, id)
        cancelled = replays.cancel(found, actor=caller_of(request).actor)
        return Response(ReplayDetails.of(cancelled).as_json())
