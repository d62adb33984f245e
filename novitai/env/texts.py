"""What may be wrong with the text of any variable, before it is read as what it should be.

Environment files keep quotes and carriage returns that a shell would take away, and templates leave
names of variables where values belong. All of that is said here once, for every variable.
"""

import re
import unicodedata
from pathlib import Path

from pydantic_core import PydanticCustomError

_QUOTES = "\"'`\u201c\u201d\u2018\u2019"
_LONGEST = 100


class TextError(ValueError):
    """The text cannot be any variable's value; says why without showing it."""


def clean(text: str, *, is_json: bool = False) -> str:
    """Without blanks and line ends around it. Raises TextError."""
    text = text.strip()
    _check_quotes(text)
    if re.fullmatch(r"\$\w+|\$\{.*\}|\$\(.*\)|%\w+%", text):
        raise TextError("is the name of a variable, and not its value")
    for character in text:
        is_line_end = character in "\r\n\t" and is_json
        if unicodedata.category(character) in ("Cc", "Cf", "Zl", "Zp") and not is_line_end:
            raise TextError(f"holds a character that cannot be seen ({_name(character)})")
    return text


def read_secret(path: Path) -> str:
    """The content of a secret's file. Raises PydanticCustomError of the type ``secret_file``."""
    try:
        # Some editors begin a file with a byte order mark.
        if text := path.expanduser().read_text(encoding="utf-8-sig").strip():
            return text
        fault = "is empty"
    except (OSError, ValueError, RuntimeError) as error:
        fault = f"cannot be read ({type(error).__name__})"
    raise PydanticCustomError(
        "secret_file", "{path} {fault}", {"path": shown(path), "fault": fault}
    )


def shown(value: object) -> str:
    """For messages: with what cannot be seen made visible, and cut."""
    text = value if isinstance(value, str) else str(value)
    cut = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
    return ascii(cut)


def _check_quotes(text: str) -> None:
    if len(text) >= 2 and text[0] in _QUOTES and text[-1] in _QUOTES:
        raise TextError("is in quotes, which are a shell's and not the value's; leave them out")
    if text and (text[0] in _QUOTES or text[-1] in _QUOTES):
        raise TextError("begins or ends with a quote")


def _name(character: str) -> str:
    return unicodedata.name(character, f"U+{ord(character):04X}")
