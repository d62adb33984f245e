"""What tags may look like: the caller's own labels, found again by the lists."""

import re
import unicodedata

MOST_TAGS = 20
KEY = re.compile(r"[a-z0-9][a-z0-9._/-]{0,62}")
LONGEST_VALUE = 200
# For the OpenAPI document: what CONTROL leaves.
VALUE_PATTERN = r"[^\u0000-\u001f\u007f-\u009f\u2028\u2029]{0,200}"
CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def key_fault(key: str) -> str | None:
    """What is wrong with a key, in words."""
    if KEY.fullmatch(key):
        return None
    return (
        "A tag's key must be 1 to 63 of a-z, 0-9, dot, underscore, slash and hyphen, beginning "
        "with a letter or digit"
    )


def value_fault(value: object) -> str | None:
    """What is wrong with a value, in words."""
    if not isinstance(value, str):
        return "A tag's value must be a string"
    if len(value) > LONGEST_VALUE:
        return f"A tag's value must be at most {LONGEST_VALUE} characters"
    if CONTROL.search(value):
        return "A tag's value must not contain control characters"
    return None


def normalised(value: str) -> str:
    """The composed form (Unicode NFC): é is one character, however a keyboard or file wrote it."""
    return unicodedata.normalize("NFC", value)


def stored_forms(value: str) -> set[str]:
    """How a value may stand in the database: composed, or as release 0.5.0 got and kept it."""
    return {normalised(value), unicodedata.normalize("NFD", value), value}
