"""What a caller needs to get past the door."""

from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

from accounts.authentication import Caller


class HasApiKey(BasePermission):
    """Every endpoint needs a valid key unless it says otherwise."""

    message = "An API key is required: Authorization: Bearer KEY."

    def has_permission(self, request: Request, view: APIView) -> bool:
        return isinstance(request.user, Caller)
