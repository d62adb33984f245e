"""Reads all pages of a list from a server whose paging is not documented.

Unknown: the largest page size, whether the first page is 0 or 1, and whether `total` is a number, a
string or missing. Reading starts at page 1, stops at the total or when a page has nothing new, and
reads page 0 if items are missing. A list is complete only if that is certain.
"""

from __future__ import annotations

from collections.abc import Callable

from upstream.types import InstancePage, Listing, UpstreamInstance


class _Reader:
    def __init__(self, fetch: Callable[[int], InstancePage]) -> None:
        self._fetch = fetch
        self.seen: dict[str, UpstreamInstance] = {}
        self.total: int | None = None
        self.totals: set[int | None] = set()
        self.skipped = 0

    def read(self, number: int) -> tuple[int, int]:
        """Read one page; returns the number of its items, and how many of them are new."""
        page = self._fetch(number)
        before = len(self.seen)
        for instance in page.instances:
            self.seen[instance.id] = instance
        # A total of 0 with items is ignored: some servers always send it.
        total = None if page.total == 0 and self.seen else page.total
        self.total = total
        self.totals.add(total)
        self.skipped += len(page.skipped)
        return page.raw_count, len(self.seen) - before

    @property
    def has_total(self) -> bool:
        return self.total is not None and len(self.seen) + self.skipped >= self.total

    def read_up_to(self, max_pages: int) -> bool:
        """Whether the end was reached: the total, or an empty page."""
        for number in range(1, max_pages + 1):
            size, new = self.read(number)
            if self.has_total or size == 0:
                return True
            if new == 0:
                # The pages moved, or the server ignores the page number.
                return False
        return False


def read_all_pages(fetch: Callable[[int], InstancePage], *, max_pages: int) -> Listing:
    """Calls `fetch` with page numbers, at most `max_pages` + 1 times."""
    reader = _Reader(fetch)
    has_ended = reader.read_up_to(max_pages)
    if has_ended and not reader.has_total:
        # If the first page has number 0, page 1 was the second.
        reader.read(0)
    is_steady = len(reader.totals) == 1 and not reader.skipped
    is_whole = reader.total is None or reader.has_total
    return Listing(reader.seen, reader.total, is_complete=has_ended and is_steady and is_whole)
