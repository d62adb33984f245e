"""What a listing teaches about the upstream's paging and its name filter."""

import pytest

from instances.novita.listing_profile import ListingProfile, taught_by
from upstream.types import Listing, UpstreamInstance


def listing(found: int, total: int | None) -> Listing:
    shown = {f"up-{number}": UpstreamInstance(f"up-{number}") for number in range(found)}
    return Listing(shown, total, is_complete=found == total)


@pytest.mark.parametrize(
    ("found", "total", "calls", "pages"),
    [
        (200, 200, 2, 2),
        (20, 200, 1, 10),
        (60, 205, 3, 11),
        (0, 0, 1, 1),
        (10, None, 1, 1),
        (100, 100_000, 1, 50),
    ],
)
def test_pages_follow_from_the_total_and_the_length_of_those_read(
    found: int, total: int | None, calls: int, pages: int
) -> None:
    taught = taught_by(listing(found, total), calls=calls, expected=["up-0"], was_filtered=True)
    assert taught.pages == pages


def test_a_filter_that_finds_one_of_ours_works() -> None:
    taught = taught_by(listing(1, 1), calls=1, expected=["up-9", "up-0"], was_filtered=True)
    assert taught == ListingProfile(1, has_name_filter=True)


def test_a_filter_that_finds_none_of_ours_does_not() -> None:
    taught = taught_by(listing(3, 3), calls=1, expected=["up-9"], was_filtered=True)
    assert not taught.has_name_filter
