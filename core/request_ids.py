"""Request ids: in log lines, events and answers."""

import re
import secrets
from typing import Any

# Text that looks like an API key is refused: the id is written to logs, events and answers.
_ACCEPTED = re.compile(r"(?!nvt_)[A-Za-z0-9._-]{1,80}")


def request_id_from(header: str | None) -> str:
    """The id sent by the client, if it has at most 80 allowed characters; else a new id."""
    if header and _ACCEPTED.fullmatch(header):
        return header
    return f"req_{secrets.token_hex(12)}"


def request_id_of(request: Any) -> str:
    """The id set by the middleware; a new id if the request did not reach it."""
    given = getattr(request, "request_id", None)
    return given if isinstance(given, str) else request_id_from(None)
