"""Parsing of the ``Idempotency-Key`` header.

``k-1`` and ``"k-1"`` (a string of RFC 9651, which draft-ietf-httpapi-idempotency-key-header asks
for) are the same key. A comma outside of quotes is refused: servers and proxies join a repeated
header with a comma.
"""

import re
from dataclasses import dataclass

MOST_CHARACTERS = 255
# Visible ASCII without a comma; a leading quote begins the quoted form.
_BARE = r"[!#-+\--~][!-+\--~]{0,254}"
_QUOTED = r'"(?:[ !#-\[\]-~]|\\["\\]){1,255}"'
# Both forms; also used in the OpenAPI document.
PATTERN = f"^(?:{_BARE}|{_QUOTED})$"
_ESCAPE = re.compile(r'\\(["\\])')


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """A key. ``text``: the form that is stored, the same for both forms of the header.

    ``older_texts``: forms under which release 0.5.0, which stored the header unchanged, may have
    stored the same key.
    """

    text: str
    older_texts: tuple[str, ...]


def read_key(header: str) -> IdempotencyKey | None:
    """Parse the header; None if it is malformed or holds more than one key."""
    if re.fullmatch(_BARE, header):
        text = header
    elif re.fullmatch(_QUOTED, header):
        text = _ESCAPE.sub(r"\1", header[1:-1])
    else:
        return None
    return IdempotencyKey(text, tuple({f'"{text}"', header} - {text}))
