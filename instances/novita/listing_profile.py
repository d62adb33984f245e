"""What listings have taught about the upstream: how long its pages are, whether its filter works.

Neither is documented. Learnt by one process, used by all, forgotten after an hour.
"""

from collections.abc import Collection
from dataclasses import dataclass

from django.conf import settings
from django.core.cache import cache

from upstream.types import Listing

KEPT_SECONDS = 3600
PAGE_SIZE = 100
MOST_PAGES = 50


@dataclass(frozen=True, slots=True)
class Habits:
    """``pages``: what the last listing had, or would have had if it had been read to its end."""

    pages: int = 1
    has_name_filter: bool = True


def recall() -> Habits:
    """What is known of the account's upstream; an optimist's guess before the first listing."""
    pages, has_name_filter = cache.get(_key(), (1, True))
    return Habits(pages, has_name_filter)


def learn(habits: Habits) -> None:
    """Remember what a listing taught. Writes to the shared cache only if that is news."""
    if habits != recall():
        cache.set(_key(), (habits.pages, habits.has_name_filter), timeout=KEPT_SECONDS)


def recall_whole() -> int:
    """Pages of the whole list, foreign instances included; apart from those of a filtered one."""
    return int(cache.get(f"{_key()}:whole", 1))


def learn_whole(pages: int) -> None:
    if pages != recall_whole():
        cache.set(f"{_key()}:whole", pages, timeout=KEPT_SECONDS)


def taught_by(
    listing: Listing, *, calls: int, expected: Collection[str], was_filtered: bool
) -> Habits:
    """Pages by the total and the length of those that were read. A filter by which nothing that
    we expect is found does not work as ours needs it; a few may be missing for other reasons.
    """
    finds_ours = any(upstream_id in listing.instances for upstream_id in expected)
    pages = pages_of(listing, calls=calls)
    return Habits(pages, has_name_filter=was_filtered and finds_ours)


def pages_of(listing: Listing, *, calls: int) -> int:
    """How many pages a whole listing has, by its total and the length of those that were read."""
    found = len(listing.instances)
    if not found:
        return 1
    page_length = max(found // max(calls, 1), 1)
    total = max(listing.total or 0, found)
    return min(-(-total // page_length), MOST_PAGES)


def _key() -> str:
    return f"listing:{settings.CONFIG.upstream_account}"
