"""Paging as in the service: lenient parameters; 0 and 1 are both the first page."""

from __future__ import annotations

from typing import TypeVar

from devtools.simulator.http import Request
from devtools.simulator.world.settings import Settings

Item = TypeVar("Item")


def page(
    settings: Settings, request: Request, found: list[Item], key: str = "pageNum"
) -> list[Item]:
    """The requested page; with `page_overlap`, later pages repeat (or skip) items."""
    size = request.number("pageSize", settings.default_page_size) or settings.default_page_size
    if settings.max_page_size:
        size = min(size, settings.max_page_size)
    index = max(1, request.number(key, 1)) - 1
    first = max(0, index * (size - settings.page_overlap))
    return found[first : first + size]
