from __future__ import annotations

from collections.abc import Callable

import pytest

from upstream.listing import read_all_pages
from upstream.types import InstancePage, Skipped, UpstreamInstance


def page(ids: range | list[int], total: int | None, skipped: int = 0) -> InstancePage:
    return InstancePage(
        tuple(UpstreamInstance(str(number)) for number in ids),
        total,
        tuple(Skipped(index, "broken") for index in range(skipped)),
    )


class Server:
    """Pages over `size` instances in one of the ways that a server may do it."""

    def __init__(
        self, size: int, *, largest: int = 100, first: int = 1, has_total: bool = True
    ) -> None:
        self.size, self.largest, self.first, self.has_total = size, largest, first, has_total
        self.asked: list[int] = []

    def __call__(self, number: int) -> InstancePage:
        self.asked.append(number)
        start = max(number - self.first, 0) * self.largest
        ids = range(start, min(start + self.largest, self.size))
        return page(ids, self.size if self.has_total else None)


def read(fetch: Callable[[int], InstancePage], max_pages: int = 50):
    return read_all_pages(fetch, max_pages=max_pages)


@pytest.mark.parametrize("size", [0, 1, 99, 100, 101, 250, 300])
@pytest.mark.parametrize("largest", [100, 10])
@pytest.mark.parametrize("has_total", [True, False])
@pytest.mark.parametrize("first", [0, 1])
def test_every_kind_of_paging_is_read_completely(size, largest, has_total, first):
    server = Server(size, largest=largest, first=first, has_total=has_total)
    listing = read(server)
    assert (len(listing.instances), listing.is_complete) == (size, True)
    assert listing.total == (size if has_total else None)


def test_the_total_spares_the_last_call():
    server = Server(200)
    read(server)
    assert server.asked == [1, 2]


def test_a_server_that_ignores_the_page_number_is_not_asked_for_ever():
    asked = []

    def same(number: int) -> InstancePage:
        asked.append(number)
        return page(range(100), 250)

    listing = read(same)
    assert len(asked) == 2
    assert (len(listing.instances), listing.is_complete) == (100, False)


def test_a_server_that_ignores_the_page_number_but_sends_everything_is_complete():
    listing = read(lambda number: page(range(7), 7))
    assert (len(listing.instances), listing.is_complete) == (7, True)


def test_the_same_page_without_a_total_proves_nothing():
    assert not read(lambda number: page(range(7), None)).is_complete


def test_a_total_that_moves_while_reading_makes_it_incomplete():
    pages = {1: page(range(100), 150), 2: page(range(101, 150), 149)}
    listing = read(lambda number: pages.get(number, page([], 149)))
    assert len(listing.instances) == 149
    assert not listing.is_complete


def test_items_that_appear_on_two_pages_are_counted_once():
    pages = {1: page(range(100), 150), 2: page(range(99, 149), 150), 3: page([149], 150)}
    listing = read(lambda number: pages[number])
    assert (len(listing.instances), listing.is_complete) == (150, True)


@pytest.mark.parametrize("size", [1, 99, 100, 250])
def test_a_list_whose_total_is_always_0_is_complete_at_an_empty_page(size):
    server = Server(size)

    def fetch(number: int) -> InstancePage:
        found = server(number)
        return InstancePage(found.instances, None if found.instances else 0)

    listing = read(fetch)
    assert (len(listing.instances), listing.is_complete) == (size, True)


def test_a_total_that_falls_to_0_while_reading_makes_it_incomplete():
    pages = {1: page(range(100), 150)}
    assert not read(lambda number: pages.get(number, page([], 0))).is_complete


def test_a_total_that_is_never_reached_is_incomplete():
    listing = read(lambda number: page(range(5) if number == 1 else [], 9))
    assert (len(listing.instances), listing.is_complete) == (5, False)


def test_an_unreadable_item_makes_it_incomplete():
    listing = read(lambda number: page([1], 2, skipped=1))
    assert not listing.is_complete


def test_the_number_of_pages_is_bounded():
    server = Server(1000, largest=1)
    listing = read(server, max_pages=3)
    assert server.asked == [1, 2, 3]
    assert not listing.is_complete
