"""Cursors: where a page ended, in a token that only the same list takes back.

Signed, so that what reaches the database was written by this service. It holds the sort key of the
last row and not its id alone: that row may be gone, or have moved, when the next page is asked for.
"""

import hashlib
import json
import re
from collections.abc import Sequence
from typing import Any

from django.core.signing import BadSignature, Signer
from rest_framework.request import Request

# Longer than any that is made: the longest key is a name of 100 characters.
MAX_LENGTH = 600
_FORM = re.compile(rf"[A-Za-z0-9_.-]{{1,{MAX_LENGTH}}}")
_PAGING = ("cursor", "limit")


class CursorError(ValueError):
    """In words: not one of ours, or made for another list."""


def encode(key: Sequence[Any], list_name: str) -> str:
    """``key`` are JSON values: the sort key of the last row seen."""
    return _signer().sign_object([list_name, *key])


def decode(cursor: str, list_name: str) -> list[Any]:
    """The key; raises CursorError."""
    if not _FORM.fullmatch(cursor):
        raise CursorError(_UNKNOWN)
    try:
        signed: list[Any] = _signer().unsign_object(cursor)
    except (BadSignature, ValueError):
        raise CursorError(_UNKNOWN) from None
    if signed[0] != list_name:
        raise CursorError(_OTHER_LIST)
    return signed[1:]


def name_of_list(request: Request, owner: object) -> str:
    """What makes it that list: address, whose rows, filters and sort; not how long a page is."""
    given = sorted(
        [name, *values] for name, values in request.query_params.lists() if name not in _PAGING
    )
    text = json.dumps([request.path, str(owner), given])
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _signer() -> Signer:
    return Signer(sep=".", salt="novitai.cursor")


_UNKNOWN = "cursor must be the nextCursor of an earlier page"
_OTHER_LIST = (
    "cursor belongs to a list with another sort or other filters; begin without a cursor, or "
    "repeat the parameters of the page that it came from"
)
