"""Checks the form of webhook URLs. The address is checked at the moment of connecting."""

import re
from urllib.parse import SplitResult, urlsplit

MAX_LENGTH = 2048
_LABEL = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")
_VISIBLE = re.compile(r"[!-~]+")


class WebhookUrlError(ValueError):
    """The URL is not valid. ``holds_secret``: it must not be shown or logged."""

    def __init__(self, message: str, *, holds_secret: bool = False) -> None:
        super().__init__(message)
        self.holds_secret = holds_secret


def check_webhook_url(url: str) -> None:
    """Raise WebhookUrlError unless ``url`` is an absolute http(s) URL of visible ASCII.

    Hosts may be names, IPv4 or bracketed IPv6 addresses. Names beyond ASCII must be given as
    punycode, so that the checked name is the one connected to.
    """
    # "@" before the path may be user info; a URL that cannot be parsed may contain some, too.
    holds_secret = "@" in url or "?" in url
    if len(url) > MAX_LENGTH:
        raise WebhookUrlError(
            f"Webhook URL must be at most {MAX_LENGTH} characters", holds_secret=True
        )
    parts = _split(url) if _VISIBLE.fullmatch(url) else None
    if parts is None or not _has_usable_host(parts):
        raise WebhookUrlError(
            "Webhook URL must be a valid HTTP or HTTPS URL", holds_secret=holds_secret
        )
    if "@" in parts.netloc:
        raise WebhookUrlError(
            "Webhook URL must not contain a user name or password", holds_secret=True
        )


def receiver_of(url: str) -> str:
    """Scheme and host, as ``https://hooks.example/…``: enough for people to recognise it. The rest
    may allow others to post there.
    """
    parts = _split(url)
    if parts is None or not parts.netloc:
        return "…"
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}/…"


def _split(url: str) -> SplitResult | None:
    """The parts of the URL; None if it cannot be parsed (an unclosed bracket, port 99999)."""
    if "\\" in url:
        return None
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    return None if port == 0 else parts


def _has_usable_host(parts: SplitResult) -> bool:
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return False
    if parts.netloc.rpartition("@")[2].startswith("["):
        # urlsplit has checked the address in brackets.
        return "%" not in parts.netloc
    labels = parts.hostname.removesuffix(".").split(".")
    return len(parts.hostname) <= 253 and all(_LABEL.fullmatch(label) for label in labels)
