"""The parameters of lists that come in pages, as ``novitai.rest.pagination`` checks them."""

from drf_spectacular.utils import OpenApiParameter
from rest_framework.views import APIView

from novitai.rest.pagination import DEFAULT_LIMIT, MAX_LIMIT

_LIMIT = OpenApiParameter(
    "limit",
    {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT},
    description="rows per page",
)
_CURSOR = OpenApiParameter("cursor", str, description="nextCursor of the page before")


def page_parameters(view: APIView, method: str) -> list[OpenApiParameter]:
    """None where the operation lists nothing."""
    if not _is_list(view, method):
        return []
    sorts = list(getattr(view, "page_sorts", ()))
    return [_LIMIT, _CURSOR, *([_sort(sorts)] if sorts else [])]


def _is_list(view: APIView, method: str) -> bool:
    """A view that pages has the class of its pages."""
    return method == "GET" and hasattr(view, "page") and getattr(view, "action", "list") == "list"


def _sort(sorts: list[str]) -> OpenApiParameter:
    schema = {"type": "string", "enum": sorts}
    return OpenApiParameter("sort", schema, description="- for descending; ties by age")
