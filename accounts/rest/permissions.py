"""Permission check: an API key with the scope that the endpoint requires."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rest_framework.exceptions import NotAuthenticated, PermissionDenied
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request

from accounts.models import Project
from accounts.rest.authentication import Caller
from accounts.scopes import Scope, is_covered

if TYPE_CHECKING:
    # An import at run time would be circular: REST framework's views import this module.
    from rest_framework.views import APIView


class HasApiKey(BasePermission):
    """Every endpoint needs a valid key with a sufficient scope, unless the view says otherwise.

    Safe methods need ``read``, all others ``write``. A view overrides this in ``required_scopes``,
    by action or method; None there means that any valid key is enough.
    """

    message = "An API key is required: Authorization: Bearer KEY."

    def has_permission(self, request: Request, view: "APIView") -> bool:
        if not isinstance(request.user, Caller):
            return False
        scope = required_scope(view, request.method or "")
        given = request.user.api_key.scopes
        enough = () if scope is None else (scope, *also_enough(view))
        if enough and not any(is_covered(each, given) for each in enough):
            words = " or ".join(each.value for each in enough)
            raise PermissionDenied(f"This request needs an API key with the scope {words}.")
        return True


def also_enough(view: "APIView") -> Sequence[Scope]:
    """Scopes that this view accepts instead of its required scope."""
    scopes: Sequence[Scope] = getattr(view, "also_enough", ())
    return scopes


def required_scope(view: "APIView", method: str) -> Scope | None:
    """The scope that a view requires for that method; None: any valid key is enough."""
    special: Mapping[str, Scope | None] = getattr(view, "required_scopes", {})
    default = Scope.READ if method in SAFE_METHODS else Scope.WRITE
    return special.get(getattr(view, "action", None) or method, default)


def project_to_show(request: Request) -> Project | None:
    """The project whose figures the caller may see; None (all projects) with scope ``admin``."""
    caller = request.user
    if not isinstance(caller, Caller):
        raise NotAuthenticated
    return None if is_covered(Scope.ADMIN, caller.api_key.scopes) else caller.project
