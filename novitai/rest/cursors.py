"""Cursors: where a page ended, in a token that only the same list takes back.

Sealed with AES-SIV, so that what reaches the database was written by this service, and nobody reads
row numbers in it, which would tell how many rows all projects make. It holds the sort key of the
last row and not its id alone: that row may be gone, or have moved, when the next page is asked for.
"""

import hashlib
import json
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from rest_framework.request import Request

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
    return urlsafe_b64encode(_sealer().encrypt(text.encode(), None)).rstrip(b"=").decode()


def decode(cursor: str, list_name: ListName) -> list[Any]:
    """The key; raises CursorError."""
    if not _FORM.fullmatch(cursor):
        raise CursorError(_UNKNOWN)
    try:
        sealed = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        opened: list[Any] = json.loads(_sealer().decrypt(sealed, None))
    except (InvalidTag, ValueError):
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


def _sealer() -> AESSIV:
    return _sealer_of(settings.SECRET_KEY)


@lru_cache(maxsize=4)
def _sealer_of(secret: str) -> AESSIV:
    """AES-128 in SIV mode takes two keys of 16 bytes, and needs no nonce."""
    derived = HKDF(algorithm=SHA256(), length=32, salt=None, info=_PURPOSE)
    return AESSIV(derived.derive(secret.encode()))


_UNKNOWN = "cursor must be the nextCursor of an earlier page"
_REASONS = (
    "cursor belongs to a list of another project; begin without a cursor",
    "cursor belongs to another list; begin without a cursor",
    "cursor belongs to a list with another sort or other filters; begin without a cursor, or "
    "repeat the parameters of the page that it came from",
)
