"""Remembers how Novita's lists behave: number of pages, and whether the name filter works.

Neither is documented. Shared by all processes through the cache, for an hour.
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
class ListingProfile:
    """``pages`` of the last list, computed for the whole list if it was not read to its end."""

    pages: int = 1
    has_name_filter: bool = True


def recall() -> ListingProfile:
    """The known profile; one page and a working filter before the first list."""
    pages, has_name_filter = cache.get(_key(), (1, True))
    return ListingProfile(pages, has_name_filter)


def learn(profile: ListingProfile) -> None:
    """Save a profile if it differs from the known one."""
    if profile != recall():
        cache.set(_key(), (profile.pages, profile.has_name_filter), timeout=KEPT_SECONDS)


def recall_whole() -> int:
    """Pages of the whole list, other owners' instances included; kept apart from filtered lists."""
    return int(cache.get(f"{_key()}:whole", 1))


def learn_whole(pages: int) -> None:
    if pages != recall_whole():
        cache.set(f"{_key()}:whole", pages, timeout=KEPT_SECONDS)


def taught_by(
    listing: Listing, *, calls: int, expected: Collection[str], was_filtered: bool
) -> ListingProfile:
    """Profile after a list: page count, and whether the name filter found any expected id.

    One id is enough, since others may be missing for other reasons.
    """
    finds_ours = any(upstream_id in listing.instances for upstream_id in expected)
    pages = pages_of(listing, calls=calls)
    return ListingProfile(pages, has_name_filter=was_filtered and finds_ours)


def pages_of(listing: Listing, *, calls: int) -> int:
    """Pages of the whole list, by its total and the average length of the pages that were read."""
    found = len(listing.instances)
    if not found:
        return 1
    page_length = max(found // max(calls, 1), 1)
    total = max(listing.total or 0, found)
    return min(-(-total // page_length), MOST_PAGES)


def _key() -> str:
    return f"listing:{settings.CONFIG.upstream_account}"
