"""The name of a request: in its log lines, its events and its answer."""

import re
import secrets
from typing import Any

# Not what looks like an API key: it would stand in logs, events and answers.
_ACCEPTED = re.compile(r"(?!nvt_)[A-Za-z0-9._-]{1,80}")


def request_id_from(header: str | None) -> str:
    """The caller's own id if it is one word of 80 harmless characters at most, else a new one."""
    if header and _ACCEPTED.fullmatch(header):
        return header
    return f"req_{secrets.token_hex(12)}"


def request_id_of(request: Any) -> str:
    """The id that the middleware gave; a new one for a request that never reached it."""
    given = getattr(request, "request_id", None)
    return given if isinstance(given, str) else request_id_from(None)
