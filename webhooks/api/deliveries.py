"""Deliveries over the API: lists, one with its attempts, redeliver, cancel."""

from collections.abc import Callable

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import NotFound
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import ViewSet

from accounts.rest.authentication import caller_of
from accounts.rest.idempotency import idempotent
from core.request_bodies import refuse_body
from webhooks import lanes
from webhooks.api import documentation
from webhooks.api.answers import DeliveryDetails, DeliveryList, DeliveryWithAttempts
from webhooks.api.common import (
    find_delivery,
    find_endpoint,
    translated_errors,
)
from webhooks.api.filters import DeliveryFilter
from webhooks.models import Delivery
from webhooks.owner import owner
from webhooks.services import sending


class _DeliveriesView(GenericAPIView[Delivery]):
    queryset = Delivery.objects.all()
    page = DeliveryList
    page_order = "-id"
    query_parameters = tuple(DeliveryFilter().fields)

    def answer(self, request: Request, rows: QuerySet[Delivery]) -> Response:
        asked = DeliveryFilter(data=request.query_params.dict())
        asked.is_valid(raise_exception=True)
        rows = lanes.is_behind(asked.apply(rows).select_related("endpoint", "message", "replay"))
        page = self.paginate_queryset(rows.defer("message__body"))
        return self.get_paginated_response([DeliveryDetails.of(row) for row in page or []])


class EndpointDeliveriesView(_DeliveriesView):
    """What an endpoint got and will get."""

    @extend_schema(**documentation.ENDPOINT_DELIVERIES)
    def get(self, request: Request, id: str) -> Response:  # noqa: A002 - the path's own word
        endpoint = find_endpoint(request, id)
        return self.answer(request, Delivery.objects.filter(endpoint=endpoint))


class InstanceDeliveriesView(_DeliveriesView):
    """What was told about an instance, to all endpoints."""

    @extend_schema(**documentation.INSTANCE_DELIVERIES)
    def get(self, request: Request, id: str) -> Response:  # noqa: A002 - the path's own word
        project = caller_of(request).project
        if not owner().has_subject(project, id):
            raise NotFound(f"There is no instance {id[:60]}.", code="INSTANCE_NOT_FOUND")
        return self.answer(request, Delivery.objects.filter(project=project, subject=id))


class DeliveryViewSet(ViewSet):
    """One delivery."""

    @extend_schema(**documentation.DELIVERY)
    def retrieve(self, request: Request, id: str) -> Response:  # noqa: A002 - the path's own word
        return Response(DeliveryWithAttempts.of(find_delivery(request, id)).as_json())

    @extend_schema(**documentation.REDELIVER)
    @idempotent
    def redeliver(self, request: Request, id: str) -> Response:  # noqa: A002 - see above
        return self._act(sending.redeliver, request, id)

    @extend_schema(**documentation.CANCEL_DELIVERY)
    @idempotent
    def cancel(self, request: Request, id: str) -> Response:  # noqa: A002 - see above
        return self._act(sending.cancel, request, id)

    def _act(self, verb: Callable[..., Delivery], request: Request, public_id: str) -> Response:
        refuse_body(request)
        found = find_delivery(request, public_id)
        with translated_errors():
            changed = verb(found, actor=caller_of(request).actor)
        return Response(DeliveryDetails.of(changed).as_json(), status=202)
