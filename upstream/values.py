"""Reads single values from untrusted JSON. Only `parse_json` raises.

Novita sends 64-bit numbers as strings, and "nothing" as "", "0", [], null or a missing field. Each
reader accepts all spellings, and returns None (or "") for nothing and for invalid values.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

# 0.01 and 1,000 USD per GPU-hour; real prices are 0.10 to 20.
LOWEST_PRICE = 1_000
HIGHEST_PRICE = 100_000_000
_MAX_TEXT = 10_000
_MAX_INTEGER = 2**63 - 1
_MAX_DIGITS = 100
# Safe in a URL query, a log line and a database key; real ids are hex, decimal or UUIDs.
_ID = re.compile(r"[!-~]{1,255}")
_WHOLE = re.compile(r"0|-?[1-9][0-9]{0,14}")
_DECIMAL = re.compile(r"[+-]?[0-9]{1,18}(\.[0-9]{1,18})?")
# 2^33 s is the year 2242; larger values are not seconds.
_MAX_UNIX_SECONDS = 2**33


def parse_json(body: bytes) -> Any:
    """Raises ValueError for anything that is not JSON, and for JSON that is nested too deeply.

    Fractions become Decimal, so that prices do not pass through floats. An absurd number (NaN, a
    thousand digits) becomes None, so that it does not make a whole list unreadable.
    """
    try:
        return json.loads(
            body, parse_float=_fraction, parse_int=_whole, parse_constant=lambda _: None
        )
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _fraction(digits: str) -> Decimal | None:
    try:
        return Decimal(digits) if len(digits) <= _MAX_DIGITS else None
    except InvalidOperation:
        # An exponent out of range, such as 1e99999999999999999999.
        return None


def _whole(digits: str) -> int | None:
    return int(digits) if len(digits) <= _MAX_DIGITS else None


def word_set(words: str) -> frozenset[str]:
    """The words of a table that is written as one string."""
    return frozenset(words.split())


def text(value: object) -> str:
    """A string that Postgres accepts, without spaces at its ends."""
    return verbatim(value).strip()


def verbatim(value: object) -> str:
    """A string that Postgres accepts: no NUL, no lone surrogates, at most 10,000 characters."""
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        return ""
    raw = value if isinstance(value, str) else (str(value) if abs(value) <= _MAX_INTEGER else "")
    cut = raw[:_MAX_TEXT].replace("\x00", "")
    return cut.encode("utf-8", "ignore").decode("utf-8")


def identifier(value: object) -> str:
    """The id, or "" if the value cannot be an id."""
    found = text(value)
    return found if _ID.fullmatch(found) else ""


def integer(value: object) -> int | None:
    """An int from 5, "5", "5.0" or Decimal("5.0"); None beyond 64 bits."""
    number = _decimal(value)
    if number is None or number != number.to_integral_value():
        return None
    whole = int(number)
    return whole if abs(whole) <= _MAX_INTEGER else None


def count(value: object) -> int:
    """A non-negative int; 0 if there is none."""
    return max(integer(value) or 0, 0)


def whole(value: object) -> int | None:
    """An amount of money in whole units: -5, "5" or the JSON number 5.0; else None.

    Stricter than `integer`: "0.35", "5.0", "+5", "05", "1e5", 1e5 and 1,000 are rejected, since
    they may be in another unit.
    """
    if isinstance(value, str):
        found = value.strip()
        return int(found) if _WHOLE.fullmatch(found) else None
    if isinstance(value, Decimal):
        exponent = value.as_tuple().exponent
        has_no_exponent = isinstance(exponent, int) and exponent <= 0
        return integer(value) if has_no_exponent else None
    return integer(value) if isinstance(value, int) else None


def price_e5(value: object) -> int | None:
    """A price per GPU-hour in 1/100,000 USD; None for 0 and for invalid values.

    Values outside of 0.01 to 1,000 USD are taken to be in another unit and are rejected.
    """
    amount = whole(value)
    return amount if amount is not None and LOWEST_PRICE <= amount <= HIGHEST_PRICE else None


def is_no_price(value: object) -> bool:
    """Whether the value means "no price": null, "", "0", 0, or nothing at all."""
    is_blank = isinstance(value, str) and not value.strip()
    return value is None or is_blank or value in ([], {}) or whole(value) == 0


def flag(value: object) -> bool | None:
    """A bool from true, "true", "True", 1, "1" and their opposites; else None."""
    if isinstance(value, bool):
        return value
    return {"true": True, "1": True, "false": False, "0": False}.get(text(value).lower())


def moment(value: object) -> datetime | None:
    """Aware UTC time from Unix seconds; None for "0" (never) and "-1" (not applicable).

    Values too large for seconds are milliseconds. ISO text with a time zone is accepted.
    """
    seconds = integer(value)
    if seconds is None:
        return _iso_moment(text(value))
    if seconds > _MAX_UNIX_SECONDS:
        seconds //= 1000
    return datetime.fromtimestamp(seconds, tz=UTC) if 0 < seconds <= _MAX_UNIX_SECONDS else None


def _iso_moment(value: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        return None
    is_sure = found.tzinfo is not None and 1970 < found.year < 2242
    return found.astimezone(UTC) if is_sure else None


def port_number(value: object) -> int | None:
    number = integer(value)
    return number if number is not None and 0 < number < 65536 else None


def mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def sequence(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _decimal(value: object) -> Decimal | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return Decimal(value) if abs(value) <= _MAX_INTEGER else None
    if isinstance(value, Decimal):
        return value if value.is_finite() and abs(value) <= _MAX_INTEGER else None
    if isinstance(value, str) and _DECIMAL.fullmatch(value.strip()):
        return Decimal(value.strip())
    return None
