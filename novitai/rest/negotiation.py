"""Content negotiation: what ``Accept`` asks for, by its weights (RFC 9110, section 12.5.1)."""

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from rest_framework.exceptions import NotAcceptable
from rest_framework.negotiation import DefaultContentNegotiation

if TYPE_CHECKING:
    from django.http import HttpRequest
    from rest_framework.renderers import BaseRenderer
    from rest_framework.request import Request

ANYTHING = "*/*"
_RANGE = re.compile(r"\s*([^\s/;]+)/([^\s/;]+)\s*((?:;.*)?)", re.DOTALL)
_WEIGHT = re.compile(r";\s*q\s*=\s*(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)\s*(?:;|$)", re.IGNORECASE)


class ByWeight(DefaultContentNegotiation):
    """Selects the renderer with the highest weight; the view's first among equals. A media type
    with weight 0 is refused. Parameters of media types are ignored: no renderer has any.
    """

    def select_renderer(
        self,
        request: "Request",
        renderers: "Iterable[BaseRenderer]",
        format_suffix: str | None = None,
    ) -> tuple[Any, str]:
        accept = request.headers.get("Accept") or ANYTHING
        # max returns the first of equal elements.
        best = max(renderers, key=lambda each: weight(accept, str(each.media_type)))
        if not weight(accept, str(best.media_type)):
            raise NotAcceptable(available_renderers=list(renderers))
        return best, str(best.media_type)


class OnlyOneForm(DefaultContentNegotiation):
    """Ignores the ``Accept`` header: every client gets the same answer."""

    def select_renderer(
        self,
        request: "Request",
        renderers: "Iterable[BaseRenderer]",
        format_suffix: str | None = None,
    ) -> tuple[Any, str]:
        only = next(iter(renderers))
        return only, str(only.media_type)


@lru_cache(maxsize=128)
def weight(accept: str, media_type: str) -> float:
    """The weight of a media type, 0 to 1, from the most specific matching range."""
    kind = media_type.partition(";")[0]
    ranges = (kind, f"{kind.partition('/')[0]}/*", ANYTHING)
    weights = _weights(accept)
    return next((weights[name] for name in ranges if name in weights), 0.0)


def accepts_coding(request: "HttpRequest", coding: str) -> bool:
    """Whether ``Accept-Encoding`` accepts the content coding with a weight above 0."""
    for text in request.headers.get("Accept-Encoding", "").lower().split(","):
        name, _, parameters = text.partition(";")
        if name.strip() == coding:
            asked = _WEIGHT.search(f";{parameters}")
            return not asked or float(asked[1]) > 0
    return False


def _weights(accept: str) -> dict[str, float]:
    """Weights by media range; the highest one of a repeated range. Invalid ranges are ignored."""
    weights: dict[str, float] = {}
    for text in accept.split(","):
        if found := _RANGE.fullmatch(text):
            name = f"{found[1]}/{found[2]}".lower()
            asked = _WEIGHT.search(found[3])
            weights[name] = max(weights.get(name, 0.0), float(asked[1]) if asked else 1.0)
    return weights
