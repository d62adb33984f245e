"""ETag, If-Match, If-None-Match (RFC 9110, section 13) over an instance's version.

A proxy that compresses answers changes their tags on the way: nginx and Cloudflare send ``W/"8"``
for ``"8"``, Apache ``"8-gzip"``, Jetty ``"8--gzip"``. All of these name version 8, in both headers.
RFC 9110 asks for a strong comparison in If-Match, since it knows tags as names of bytes; these are
version numbers, which no coding changes.
"""

import re

from rest_framework.exceptions import ValidationError
from rest_framework.request import Request

from instances.domain.types import VersionPrecondition
from instances.models import Instance

_TAG = r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"'
_LIST = re.compile(rf"[ \t,]*{_TAG}(?:[ \t]*,[ \t,]*{_TAG})*[ \t,]*")
_ONE = re.compile(r'"([\x21\x23-\x7e\x80-\xff]*)"')
# A version, and the codings that proxies have written behind it.
_VERSION = re.compile(
    r"([1-9][0-9]{0,9})(?:(?:--?|[;:.])(?:x-)?(?:gzip|br|zstd|deflate|compress|df|dcb|dcz))*",
    re.IGNORECASE,
)
_ANY = "*"


def etag_of(instance: Instance) -> str:
    """Changes whenever what is shown changes, but for costUsd, which grows by itself."""
    return f'"{instance.version}"'


def wanted_versions(request: Request) -> VersionPrecondition:
    """What If-Match and If-None-Match ask of a change. Raises ValidationError.

    The instance was found, so If-Match ``*`` holds and If-None-Match ``*`` never does.
    """
    tags, excluded = _tags(request, "If-Match"), _tags(request, "If-None-Match")
    wanted = None if tags in (None, _ANY) else _numbers(tags or "")
    refused = None if excluded == _ANY else _numbers(excluded or "")
    return VersionPrecondition(wanted, refused)


def _numbers(tags: str) -> frozenset[int]:
    """The versions that the tags name; a tag that is none of ours names no version."""
    found = (_VERSION.fullmatch(tag) for tag in _ONE.findall(tags))
    return frozenset(int(version[1]) for version in found if version)


def is_wanted(request: Request, instance: Instance) -> bool:
    """Whether If-Match, if there is one, names what would be read. Raises ValidationError."""
    tags = _tags(request, "If-Match")
    return tags in (None, _ANY) or instance.version in _numbers(tags or "")


def is_unchanged(request: Request, instance: Instance) -> bool:
    """Whether If-None-Match names what the caller has already. Raises ValidationError."""
    tags = _tags(request, "If-None-Match")
    if tags is None:
        return False
    return tags == _ANY or instance.version in _numbers(tags)


def _tags(request: Request, header: str) -> str | None:
    text = request.headers.get(header)
    if text is None:
        return None
    text = text.strip(" \t")
    if text != _ANY and not _LIST.fullmatch(text):
        message = f'{header} must be * or the ETags of earlier answers, each in quotes: "3"'
        raise ValidationError({header: [message]})
    return text
