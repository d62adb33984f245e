"""Endpoints over the API."""

from datetime import timedelta
from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework.viewsets import GenericViewSet

from accounts import webhook_secrets
from accounts.rest.authentication import caller_of
from accounts.rest.idempotency import idempotent
from accounts.scopes import Scope
from core.clock import database_now
from core.request_bodies import refuse_body
from webhooks import stats
from webhooks.api import documentation, testing
from webhooks.api.answers import (
    EndpointDetails,
    EndpointList,
    EndpointStats,
    NewEndpoint,
    PeriodStats,
    SigningSecret,
)
from webhooks.api.common import (
    Conflict,
    find_endpoint,
    read_query,
    translated_errors,
)
from webhooks.api.filters import EndpointFilter, TestQuery
from webhooks.api.serializers import CreateEndpoint, RotateSecret, UpdateEndpoint
from webhooks.models import Endpoint
from webhooks.services import endpoints, sending


class EndpointViewSet(GenericViewSet[Endpoint]):
    """Endpoints of the caller's project."""

    queryset = Endpoint.objects.all()
    serializer_class = CreateEndpoint
    page = EndpointList
    page_order = "-id"
    query_parameters = tuple(EndpointFilter().fields)

    def get_queryset(self) -> QuerySet[Endpoint]:
        return Endpoint.objects.existing().filter(project=caller_of(self.request).project)

    @extend_schema(**documentation.LIST)
    def list(self, request: Request) -> Response:
        asked = EndpointFilter(data=request.query_params.dict())
        asked.is_valid(raise_exception=True)
        page = self.paginate_queryset(asked.apply(self.get_queryset()))
        return self.get_paginated_response([EndpointDetails.of(row) for row in page or []])

    @extend_schema(**documentation.CREATE)
    @idempotent
    def create(self, request: Request) -> Response:
        caller = caller_of(request)
        spec = CreateEndpoint.spec(request.data)
        with translated_errors():
            made = endpoints.create(caller.project, spec, actor=caller.actor)
        location = {"Location": f"/api/webhooks/{made.public_id}"}
        return Response(NewEndpoint.of(made).as_json(), status=201, headers=location)

    @extend_schema(**documentation.RETRIEVE)
    def retrieve(self, request: Request, id: str) -> Response:  # noqa: A002 - the path's own word
        return Response(EndpointDetails.of(find_endpoint(request, id)).as_json())

    @extend_schema(**documentation.UPDATE)
    def partial_update(self, request: Request, id: str) -> Response:  # noqa: A002 - see above
        found = find_endpoint(request, id)
        spec = UpdateEndpoint.spec(request.data)
        with translated_errors():
            changed = endpoints.update(found, spec, actor=caller_of(request).actor)
        return Response(EndpointDetails.of(changed).as_json())

    @extend_schema(**documentation.DELETE)
    def destroy(self, request: Request, id: str) -> Response:  # noqa: A002 - see above
        found = find_endpoint(request, id)
        with translated_errors():
            endpoints.delete(found, actor=caller_of(request).actor)
        return Response(status=204)

    @extend_schema(**documentation.ROTATE)
    @idempotent
    def rotate_secret(self, request: Request, id: str) -> Response:  # noqa: A002 - see above
        found = find_endpoint(request, id)
        overlap = timedelta(hours=RotateSecret.read(request.data)["hours"])
        with translated_errors():
            rotated = endpoints.rotate_secret(
                found, overlap=overlap, actor=caller_of(request).actor
            )
        return Response(NewEndpoint.of(rotated).as_json())

    @extend_schema(**documentation.TEST)
    def test(self, request: Request, id: str) -> Response:  # noqa: A002 - see above
        query = read_query(TestQuery, request).validated_data
        sent = self._send_test(request, id)
        answer = testing.result(sent.data["id"], seconds=query.get("timeout", 20))
        return Response(
            answer.as_json(),
            status=202 if answer.delivered is None else 200,
            headers={"Location": f"/api/deliveries/{answer.deliveryId}"},
        )

    @idempotent
    def _send_test(self, request: Request, id: str) -> Response:  # noqa: A002 - see above
        """A request that is repeated under its key waits for the same message."""
        refuse_body(request)
        caller = caller_of(request)
        request_id = getattr(request, "request_id", "")
        endpoint = find_endpoint(request, id)
        delivery = sending.send_test(endpoint, actor=caller.actor, request_id=request_id)
        return Response({"id": delivery.public_id}, status=202)

    @extend_schema(**documentation.STATS)
    def stats(self, request: Request, id: str) -> Response:  # noqa: A002 - see above
        found = find_endpoint(request, id)
        waiting = stats.backlog(found)
        answer = EndpointStats(
            periods=[_period(each) for each in stats.periods(found)],
            pending=waiting.pending,
            oldestPendingAt=waiting.oldest_at,
            lastError=found.last_error or None,
            lastSuccessAt=found.last_success_at,
            lastFailureAt=found.last_failure_at,
        )
        return Response(answer.as_json())

    @extend_schema(**documentation.DELIVER_NOW)
    @idempotent
    def deliver_now(self, request: Request, id: str) -> Response:  # noqa: A002 - see above
        refuse_body(request)
        found = find_endpoint(request, id)
        with translated_errors():
            sending.send_now(found, actor=caller_of(request).actor)
        return Response(EndpointDetails.of(found).as_json(), status=202)


def _period(figures: stats.Period) -> PeriodStats:
    return PeriodStats(
        hours=figures.hours,
        attempts=figures.attempts,
        delivered=figures.delivered,
        successRate=figures.delivered / figures.attempts if figures.attempts else None,
        p50Ms=figures.p50_ms,
        p95Ms=figures.p95_ms,
    )


class SigningSecretView(APIView):
    """The secret that signs messages to a ``webhookUrl``."""

    required_scopes = {"GET": Scope.ADMIN, "HEAD": Scope.ADMIN, "POST": Scope.ADMIN}

    @extend_schema(**documentation.SIGNING_SECRET)
    def get(self, request: Request) -> Response:
        project = caller_of(request).project
        webhook_secrets.webhook_secret_of(project)
        return Response(self._answer(project))

    @staticmethod
    def _answer(project: Any) -> dict[str, Any]:
        now = database_now()
        until = project.previous_webhook_secret_until
        return SigningSecret(
            secret=webhook_secrets.secrets_of(project, now).current,
            previousSecretUntil=until if until is not None and now < until else None,
        ).as_json()


class RotateSigningSecretView(SigningSecretView):
    """A new one; the former signs too until the overlap is over."""

    http_method_names = ["post", "options"]

    @extend_schema(**documentation.ROTATE_SIGNING_SECRET)
    @idempotent
    def post(self, request: Request) -> Response:
        caller = caller_of(request)
        overlap = timedelta(hours=RotateSecret.read(request.data)["hours"])
        try:
            webhook_secrets.rotate(caller.project, overlap=overlap, actor=caller.actor)
        except webhook_secrets.SecretRefused as error:
            raise Conflict(str(error), code="ROTATION_REFUSED") from None
        return Response(self._answer(caller.project))
