"""What a caller needs to get past the door."""

from typing import TYPE_CHECKING

from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from accounts.authentication import Caller

if TYPE_CHECKING:
    # REST framework's views import this module through its settings.
    from rest_framework.views import APIView


class HasApiKey(BasePermission):
    """Every endpoint needs a valid key unless it says otherwise."""

    message = "An API key is required: Authorization: Bearer KEY."

    def has_permission(self, request: Request, view: "APIView") -> bool:
        return isinstance(request.user, Caller)
