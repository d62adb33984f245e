"""Rules for tags, the caller's own labels on instances."""

import re
import unicodedata

MOST_TAGS = 20
KEY = re.compile(r"[a-z0-9][a-z0-9._/-]{0,62}")
LONGEST_VALUE = 200
# Pattern for the OpenAPI document: everything that CONTROL does not match.
VALUE_PATTERN = r"[^\u0000-\u001f\u007f-\u009f\u2028\u2029]{0,200}"
CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def key_fault(key: str) -> str | None:
    """Error text for an invalid key, else None."""
    if KEY.fullmatch(key):
        return None
    return (
        "A tag's key must be 1 to 63 of a-z, 0-9, dot, underscore, slash and hyphen, beginning "
        "with a letter or digit"
    )


def value_fault(value: object) -> str | None:
    """Error text for an invalid value, else None."""
    if not isinstance(value, str):
        return "A tag's value must be a string"
    if len(value) > LONGEST_VALUE:
        return f"A tag's value must be at most {LONGEST_VALUE} characters"
    if CONTROL.search(value):
        return "A tag's value must not contain control characters"
    return None


def normalised(value: str) -> str:
    """Unicode NFC form: keyboards and file systems encode é differently."""
    return unicodedata.normalize("NFC", value)


def stored_forms(value: str) -> set[str]:
    """All forms in which a value may be stored: release 0.5.0 stored values unnormalised."""
    return {normalised(value), unicodedata.normalize("NFD", value), value}
