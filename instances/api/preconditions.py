"""ETag, If-Match, If-None-Match (RFC 9110, section 13) over an instance's version."""

import re

from rest_framework.exceptions import ValidationError
from rest_framework.request import Request

from instances.models import Instance
from instances.types import Versions

_TAG = r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"'
_LIST = re.compile(rf"[ \t,]*{_TAG}(?:[ \t]*,[ \t,]*{_TAG})*[ \t,]*")
_ONE = re.compile(r'(W/)?"([\x21\x23-\x7e\x80-\xff]*)"')
_VERSION = re.compile(r"[1-9][0-9]{0,9}")
_ANY = "*"


def etag_of(instance: Instance) -> str:
    """Changes whenever what is shown changes, but for costUsd, which grows by itself."""
    return f'"{instance.version}"'


def wanted_versions(request: Request) -> Versions:
    """What If-Match and If-None-Match ask of a change. Raises ValidationError.

    Whoever gets that far found an instance, so If-Match ``*`` holds and If-None-Match ``*`` never
    does. If-Match compares strongly: what is marked as weak matches nothing.
    """
    tags, excluded = _tags(request, "If-Match"), _tags(request, "If-None-Match")
    wanted = None if tags in (None, _ANY) else _numbers(tags or "", with_weak=False)
    refused = None if excluded == _ANY else _numbers(excluded or "", with_weak=True)
    return Versions(wanted, refused)


def _numbers(tags: str, *, with_weak: bool) -> frozenset[int]:
    found = (tag for is_weak, tag in _ONE.findall(tags) if with_weak or not is_weak)
    return frozenset(int(tag) for tag in found if _VERSION.fullmatch(tag))


def is_wanted(request: Request, instance: Instance) -> bool:
    """Whether If-Match, if there is one, names what would be read. Raises ValidationError."""
    tags = _tags(request, "If-Match")
    return tags in (None, _ANY) or instance.version in _numbers(tags or "", with_weak=False)


def is_unchanged(request: Request, instance: Instance) -> bool:
    """Whether If-None-Match names what the caller has already. Raises ValidationError."""
    tags = _tags(request, "If-None-Match")
    if tags is None:
        return False
    return tags == _ANY or str(instance.version) in {tag for _, tag in _ONE.findall(tags)}


def _tags(request: Request, header: str) -> str | None:
    text = request.headers.get(header)
    if text is None:
        return None
    text = text.strip(" \t")
    if text != _ANY and not _LIST.fullmatch(text):
        message = f'{header} must be * or the ETags of earlier answers, each in quotes: "3"'
        raise ValidationError({header: [message]})
    return text
