"""Keys of the caller's project. They are made in the admin or on the command line only: an answer
that holds a key would have to be kept for whoever sends the request again.
"""

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from accounts.api import documentation
from accounts.api.answers import ApiKeyDetails, ApiKeyList
from accounts.models import ApiKey
from accounts.rest.authentication import caller_of
from accounts.scopes import Scope
from accounts.services import revoke_api_key


class ApiKeyViewSet(GenericViewSet[ApiKey]):
    """Whoever found a leaked key can end it without waiting for an operator."""

    queryset = ApiKey.objects.all()
    page = ApiKeyList
    page_order = "-id"
    required_scopes = {"list": Scope.ADMIN, "current": None, "destroy": Scope.ADMIN}

    def get_queryset(self) -> QuerySet[ApiKey]:
        return ApiKey.objects.filter(project=caller_of(self.request).project)

    @extend_schema(**documentation.LIST)
    def list(self, request: Request) -> Response:
        page = self.paginate_queryset(self.get_queryset())
        return self.get_paginated_response([ApiKeyDetails.of(row) for row in page or []])

    @extend_schema(**documentation.CURRENT)
    def current(self, request: Request) -> Response:
        return Response(ApiKeyDetails.of(caller_of(request).api_key).as_json())

    @extend_schema(**documentation.REVOKE)
    def destroy(self, request: Request, id: str) -> Response:  # noqa: A002 - the path's own word
        found = None
        if "\0" not in id:
            found = self.get_queryset().filter(public_id=id).first()
        if found is None:
            raise NotFound(f"There is no API key {id[:60]}.", code="API_KEY_NOT_FOUND")
        revoke_api_key(found, actor=caller_of(request).actor)
        return Response(status=204)
