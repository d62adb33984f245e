"""Cursors: where a page ended, in a token that only the same list takes back.

Sealed (Fernet) and not only signed: it holds the primary key of a row, and keys count the rows of
all projects. It holds the whole sort key of the last row and not its id alone: that row may be
gone, or have moved, when the next page is asked for.
"""

import hashlib
import json
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from cryptography.fernet import InvalidToken, MultiFernet
from django.conf import settings
from rest_framework.request import Request

from core.sealing import derived_key

# Longer than any that is made: the longest key is a name of 100 characters.
MAX_LENGTH = 600
_FORM = re.compile(rf"[A-Za-z0-9_-]{{1,{MAX_LENGTH}}}")
_PURPOSE = b"novitai cursors of lists"
_PAGING = ("cursor", "limit")


class CursorError(ValueError):
    """In words: not one of ours, or made for another list."""


class ListName(NamedTuple):
    """What makes it that list, each shortened: whose rows, the address, filters and sort."""

    owner: str
    path: str
    query: str


def encode(key: Sequence[Any], list_name: ListName) -> str:
    """``key`` are JSON values: the sort key of the last row seen."""
    text = json.dumps([*list_name, *key], separators=(",", ":"))
    return _sealer().encrypt(text.encode()).rstrip(b"=").decode()


def decode(cursor: str, list_name: ListName) -> list[Any]:
    """The key; raises CursorError."""
    if not _FORM.fullmatch(cursor):
        raise CursorError(_UNKNOWN)
    try:
        opened: list[Any] = json.loads(_sealer().decrypt(cursor + "=" * (-len(cursor) % 4)))
    except InvalidToken:
        raise CursorError(_UNKNOWN) from None
    for made_for, used_for, reason in zip(opened, list_name, _REASONS, strict=False):
        if made_for != used_for:
            raise CursorError(reason)
    return opened[len(list_name) :]


def name_of_list(request: Request, owner: object) -> ListName:
    """Not how long a page is: that may change on the way."""
    given = sorted(
        [name, *values] for name, values in request.query_params.lists() if name not in _PAGING
    )
    return ListName(_short(str(owner)), _short(request.path), _short(json.dumps(given)))


def _short(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]


def _sealer() -> MultiFernet:
    return _sealer_of((settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS))


@lru_cache(maxsize=4)
def _sealer_of(secret_keys: tuple[str, ...]) -> MultiFernet:
    return MultiFernet([derived_key(key, _PURPOSE) for key in secret_keys])


_UNKNOWN = "cursor must be the nextCursor of an earlier page"
_REASONS = (
    "cursor belongs to a list of another project; begin without a cursor",
    "cursor belongs to another list; begin without a cursor",
    "cursor belongs to a list with another sort or other filters; begin without a cursor, or "
    "repeat the parameters of the page that it came from",
)
