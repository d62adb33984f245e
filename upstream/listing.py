"""Reading all pages from a server whose paging nobody has documented.

Unknown are the largest page size, whether counting starts at 0 or 1, and whether `total` comes
as a number, a string or at all. So: start at page 1, stop on the total or where nothing new
comes, look at page 0 when items are missing, and never claim completeness on a guess.
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
        """Take one page in: how many items it held, and how many of them are new."""
        page = self._fetch(number)
        before = len(self.seen)
        for instance in page.instances:
            self.seen[instance.id] = instance
        # A total of 0 beside what was seen is no total; some servers always send it.
        total = None if page.total == 0 and self.seen else page.total
        self.total = total
        self.totals.add(total)
        self.skipped += len(page.skipped)
        return page.raw_count, len(self.seen) - before

    @property
    def has_total(self) -> bool:
        return self.total is not None and len(self.seen) + self.skipped >= self.total

    def read_up_to(self, max_pages: int) -> bool:
        """Whether the end was seen: the total reached, or an empty page."""
        for number in range(1, max_pages + 1):
            size, new = self.read(number)
            if self.has_total or size == 0:
                return True
            if new == 0:
                # The page shifted as a whole, or the server ignores the page number.
                return False
        return False


def read_all_pages(fetch: Callable[[int], InstancePage], *, max_pages: int) -> Listing:
    """Calls `fetch` with page numbers, at most `max_pages` + 1 times."""
    reader = _Reader(fetch)
    has_ended = reader.read_up_to(max_pages)
    if has_ended and not reader.has_total:
        # Where the first page is number 0, page 1 was the second one.
        reader.read(0)
    is_steady = len(reader.totals) == 1 and not reader.skipped
    is_whole = reader.total is None or reader.has_total
    return Listing(reader.seen, reader.total, is_complete=has_ended and is_steady and is_whole)
