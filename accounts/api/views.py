"""Keys of the caller's project. They are made in the admin or on the command line only: an answer
that holds a key would have to be kept for whoever sends the request again.
"""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import NotAuthenticated, NotFound
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from accounts.api import schemas
from accounts.models import ApiKey
from accounts.rest.authentication import Caller
from accounts.scopes import Scope
from accounts.services import revoke_api_key
from core.clock import iso, optional_iso


class ApiKeyViewSet(GenericViewSet[ApiKey]):
    """Whoever found a leaked key can end it without waiting for an operator."""

    queryset = ApiKey.objects.all()
    results_name = "keys"
    page_order = "-id"
    required_scopes = {"list": Scope.ADMIN, "current": None, "destroy": Scope.ADMIN}

    def get_queryset(self) -> QuerySet[ApiKey]:
        return ApiKey.objects.filter(project=_caller(self.request).project)

    @extend_schema(**schemas.LIST)
    def list(self, request: Request) -> Response:
        page = self.paginate_queryset(self.get_queryset())
        return self.get_paginated_response([key_details(row) for row in page or []])

    @extend_schema(**schemas.CURRENT)
    def current(self, request: Request) -> Response:
        return Response(key_details(_caller(request).api_key))

    @extend_schema(**schemas.REVOKE)
    def destroy(self, request: Request, id: str) -> Response:  # noqa: A002 - the path's own word
        found = None
        if "\0" not in id:
            found = self.get_queryset().filter(public_id=id).first()
        if found is None:
            raise NotFound(f"There is no API key {id[:60]}.", code="API_KEY_NOT_FOUND")
        revoke_api_key(found, actor=_caller(request).actor)
        return Response(status=204)


def key_details(row: ApiKey) -> dict[str, Any]:
    """Optional fields are absent rather than null."""
    details: dict[str, Any] = {
        "id": row.public_id,
        "name": row.name,
        "start": row.start,
        "project": {"id": row.project.public_id, "name": row.project.name},
        "scopes": row.scopes,
        "createdAt": iso(row.created_at),
    }
    optional = {
        "rateLimitPerMinute": row.rate_limit,
        "lastUsedAt": optional_iso(row.last_used_at),
        "expiresAt": optional_iso(row.expires_at),
        "revokedAt": optional_iso(row.revoked_at),
    }
    return details | {name: value for name, value in optional.items() if value is not None}


def _caller(request: Request) -> Caller:
    """The permission let only callers with a key through."""
    caller = request.user
    if not isinstance(caller, Caller):
        raise NotAuthenticated
    return caller
