"""Checks headers that a customer adds to messages."""

from __future__ import annotations

import re
from collections.abc import Mapping

MOST_HEADERS = 20
MOST_BYTES = 8192
MOST_NAME, MOST_VALUE = 100, 1000
# RFC 9110, sections 5.1 and 5.5: tokens, and visible ASCII with blanks inside.
NAME_PATTERN = r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}"
VALUE_PATTERN = r"([!-~]([ -~]*[!-~])?)?"
_NAME, _VALUE = re.compile(NAME_PATTERN), re.compile(VALUE_PATTERN)
# What the transport, the signature or the framing of the request decides.
_FORBIDDEN = frozenset(
    {
        *("host", "content-length", "content-type", "content-encoding", "transfer-encoding"),
        *("connection", "keep-alive", "te", "trailer", "upgrade", "expect", "accept-encoding"),
        *("proxy-authorization", "proxy-connection", "proxy-authenticate", "http2-settings"),
    }
)
_FORBIDDEN_PREFIXES = ("webhook-", "svix-", "proxy-")


class HeaderError(ValueError):
    """The headers cannot be sent; the text contains no value, since that may be a secret."""


def check_headers(headers: Mapping[str, str]) -> None:
    """Raise HeaderError unless these headers may be added to a message."""
    if len(headers) > MOST_HEADERS:
        raise HeaderError(f"At most {MOST_HEADERS} headers may be given")
    if sum(len(name) + len(value) for name, value in headers.items()) > MOST_BYTES:
        raise HeaderError(f"Headers may have {MOST_BYTES} characters in all")
    for name, value in headers.items():
        _check(name, value)


def _check(name: str, value: str) -> None:
    if not _NAME.fullmatch(name):
        raise HeaderError("A header's name has characters that no name may have")
    if name.lower() in _FORBIDDEN or name.lower().startswith(_FORBIDDEN_PREFIXES):
        raise HeaderError(f"Header {name} is set by the service and cannot be given")
    if len(value) > MOST_VALUE or not _VALUE.fullmatch(value):
        raise HeaderError(f"The value of header {name} has characters that no value may have")
