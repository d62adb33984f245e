"""Headers that a request may carry once (RFC 9110, section 5.3), and how a repetition looks.

A server hands repeated lines on as one value, joined with commas, and so may a proxy. One of them
cannot be chosen: another party may have read the other one.
"""

from collections.abc import Iterable

# The HTTP parser refuses a second Content-Length. An X-Request-ID that is joined is replaced by a
# new one, like any that is no single word.
SINGLE = ("Authorization", "Content-Type", "Host", "Idempotency-Key", "Last-Event-ID")
_UPPER = {name.upper(): name for name in SINGLE}
# Their credentials hold no comma, unlike those of other schemes.
_SCHEMES_WITHOUT_COMMA = ("bearer", "basic")


def repeated_line(names: Iterable[str]) -> str | None:
    """A single header that stands in more than one line; ``names``: of all lines, in capitals."""
    seen = set()
    for name in names:
        if name in seen:
            return _UPPER[name]
        if name in _UPPER:
            seen.add(name)
    return None


def is_joined_authorization(value: str) -> bool:
    """Whether two Authorization headers were joined to this one."""
    scheme = value.lstrip().partition(" ")[0].rstrip(",").lower()
    return "," in value and scheme in _SCHEMES_WITHOUT_COMMA


def is_joined_type(value: str) -> bool:
    """Whether two Content-Type headers were joined to this one; quoted parameters hold commas."""
    outside_quotes = value.split('"')[::2]
    return any("," in part for part in outside_quotes)


def refusal_text(name: str) -> str:
    """For people; ``name`` is one of the names that this module knows."""
    return f"{name} may be given once, and it came more than once or holds a comma."
