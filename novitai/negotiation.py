"""Content negotiation for addresses that have one form of answer, whatever the client prefers."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from rest_framework.negotiation import DefaultContentNegotiation

if TYPE_CHECKING:
    from rest_framework.renderers import BaseRenderer
    from rest_framework.request import Request


class OnlyOneForm(DefaultContentNegotiation):
    """Browsers, probes and scrapers get the same: an ``Accept`` header refuses nothing."""

    def select_renderer(
        self,
        request: "Request",
        renderers: "Iterable[BaseRenderer]",
        format_suffix: str | None = None,
    ) -> tuple[Any, str]:
        only = next(iter(renderers))
        return only, str(only.media_type)
