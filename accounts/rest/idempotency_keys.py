"""The text of an ``Idempotency-Key`` header as one key, in whichever form it was sent.

``k-1`` and ``"k-1"`` (a string of RFC 9651, which draft-ietf-httpapi-idempotency-key-header asks
for) are the same key. A comma outside of quotes is refused: this is how a header looks that came
twice, when a server or a proxy has joined the lines.
"""

import re
from dataclasses import dataclass

MOST_CHARACTERS = 255
# Visible ASCII without a comma; a leading quote begins the other form.
_BARE = r"[!#-+\--~][!-+\--~]{0,254}"
_QUOTED = r'"(?:[ !#-\[\]-~]|\\["\\]){1,255}"'
# Both forms, as the OpenAPI document says them.
PATTERN = f"^(?:{_BARE}|{_QUOTED})$"
_ESCAPE = re.compile(r'\\(["\\])')


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """A key: ``text`` is what is stored, whatever the form it came in.

    ``older_texts`` are the forms under which release 0.5.0, which kept the header as it was sent,
    may have stored the same key.
    """

    text: str
    older_texts: tuple[str, ...]


def read_key(header: str) -> IdempotencyKey | None:
    """The key that the header's value names; None if it names none, or more than one."""
    if re.fullmatch(_BARE, header):
        text = header
    elif re.fullmatch(_QUOTED, header):
        text = _ESCAPE.sub(r"\1", header[1:-1])
    else:
        return None
    return IdempotencyKey(text, tuple({f'"{text}"', header} - {text}))
