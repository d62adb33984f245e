"""Redacts payloads and errors: query strings, user info, values of environment variables and
secrets.
"""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit, urlunsplit

HIDDEN = "…"
_SECRET_NAME = re.compile(r"secret|password|token|authorization|api_?key|digest", re.IGNORECASE)
_URL = re.compile(r"[a-z][a-z0-9+.-]*://[^\s'\"<>]+", re.IGNORECASE)
_BEARER = re.compile(r"\b(Bearer|Basic) \S+", re.IGNORECASE)
_ASSIGNED = re.compile(
    r"((?:secret|password|token|authorization|api_?key)\w*['\"]?\s*[=:]\s*)\S+", re.IGNORECASE
)
TEXT_LIMIT = 500
_ENV_NAMES = ("env", "envs", "environment")


def redacted(value: Any, name: str = "") -> Any:
    """The value with its secrets replaced. ``name`` is the key under which it is stored."""
    if _SECRET_NAME.search(name):
        return HIDDEN
    if name.lower() in _ENV_NAMES:
        return _names_only(value)
    if isinstance(value, Mapping):
        return {key: redacted(inner, str(key)) for key, inner in value.items()}
    if isinstance(value, list):
        return [redacted(inner, name) for inner in value]
    if isinstance(value, str) and name.lower().endswith("url"):
        return redact_url(value)
    return value


def redacted_text(text: str) -> str:
    """First line of an error without query strings of URLs, credentials and assigned secrets.

    Further lines of database errors quote whole rows, which may contain the users' secrets.
    """
    line = text.partition("\n")[0][:TEXT_LIMIT]
    line = _URL.sub(lambda match: redact_url(match[0]), line)
    line = _BEARER.sub(rf"\1 {HIDDEN}", line)
    return _ASSIGNED.sub(rf"\1{HIDDEN}", line)


def redact_url(url: str) -> str:
    """``https://me:pw@a.example/hook?key=1`` becomes ``https://a.example/hook?…``."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return HIDDEN
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, HIDDEN if parts.query else "", ""))


def _names_only(value: Any) -> Any:
    """Env is a mapping or a list of ``{"key", "value"}``: the values are secrets of the user."""
    if isinstance(value, Mapping):
        return dict.fromkeys(value, HIDDEN)
    if isinstance(value, list):
        return [_without_value(item) for item in value]
    return HIDDEN


def _without_value(item: Any) -> Any:
    if isinstance(item, Mapping):
        return {key: HIDDEN if key == "value" else inner for key, inner in item.items()}
    return HIDDEN
