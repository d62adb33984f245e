"""Cursors are sealed: nobody reads them, nobody makes them."""

from base64 import urlsafe_b64decode
from typing import Any

import pytest

from core.cursors import CursorError, ListName, decode, encode

NAME = ListName("owner", "path", "query")
NUMBER = 987_654_321_012


def test_a_cursor_opens_to_what_was_sealed_and_shows_none_of_it() -> None:
    """A row's number would tell how many rows all projects make."""
    cursor = encode(["2026-01-01T00:00:00Z", NUMBER], NAME)
    seen = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
    assert str(NUMBER).encode() not in seen
    assert b"2026-01-01" not in seen
    assert decode(cursor, NAME) == ["2026-01-01T00:00:00Z", NUMBER]


def test_another_services_cursor_is_none_of_ours(settings: Any) -> None:
    cursor = encode([NUMBER], NAME)
    settings.SECRET_KEY = "another-secret-of-thirty-two-characters"
    with pytest.raises(CursorError, match="must be the nextCursor"):
        decode(cursor, NAME)


def test_a_cursor_outlives_its_secret_key_while_that_is_named_as_the_former(settings: Any) -> None:
    cursor = encode([NUMBER], NAME)
    settings.SECRET_KEY_FALLBACKS = (settings.SECRET_KEY,)
    settings.SECRET_KEY = "another-secret-of-thirty-two-characters"
    assert decode(cursor, NAME) == [NUMBER]


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        (NAME._replace(owner="x"), "of another project"),
        (NAME._replace(path="x"), "belongs to another list"),
        (NAME._replace(query="x"), "with another sort or other filters"),
        (ListName("x", "x", "x"), "of another project"),
    ],
)
def test_a_cursor_of_another_list_is_told_what_differs(other: ListName, reason: str) -> None:
    with pytest.raises(CursorError, match=reason):
        decode(encode([NUMBER], NAME), other)


def test_the_longest_cursor_is_taken_back() -> None:
    key = ["n" * 100, 2**63 - 1]
    name = ListName("f" * 12, "f" * 12, "f" * 12)
    assert decode(encode(key, name), name) == key
