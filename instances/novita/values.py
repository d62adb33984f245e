"""Single values out of hostile JSON. None of these raises.

The upstream sends 64-bit numbers as strings and "nothing" as "", "0", [], null or a missing
field, so each reader takes every spelling and answers None (or "") for nothing and for nonsense.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import ROUND_CEILING, Decimal
from typing import Any

_MAX_TEXT = 10_000
_MAX_INTEGER = 2**63 - 1
# What may stand in a URL query, a log line and a database key; real ids are hex, decimal or UUIDs.
_ID = re.compile(r"[!-~]{1,255}")
_DECIMAL = re.compile(r"[+-]?[0-9]{1,18}(\.[0-9]{1,18})?")
# 2^33 s is the year 2242; what is later is not seconds.
_MAX_UNIX_SECONDS = 2**33


def parse_json(body: bytes) -> Any:
    """Raises ValueError for everything that is not JSON, too deep or too long a number included.

    Fractions become Decimal, so that no price passes through a float.
    """
    try:
        return json.loads(body, parse_float=Decimal, parse_constant=_no_constant)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def text(value: object) -> str:
    """A string fit for Postgres, without spaces at its ends."""
    return verbatim(value).strip()


def verbatim(value: object) -> str:
    """A string fit for Postgres: without NUL and lone surrogates, at most 10,000 characters."""
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        return ""
    raw = value if isinstance(value, str) else (str(value) if abs(value) <= _MAX_INTEGER else "")
    cut = raw[:_MAX_TEXT].replace("\x00", "")
    return cut.encode("utf-8", "ignore").decode("utf-8")


def identifier(value: object) -> str:
    """Empty for what can be no id."""
    found = text(value)
    return found if _ID.fullmatch(found) else ""


def integer(value: object) -> int | None:
    """An int out of 5, "5", "5.0" or Decimal("5.0"); None beyond 64 bits."""
    number = _decimal(value)
    if number is None or number != number.to_integral_value():
        return None
    whole = int(number)
    return whole if abs(whole) <= _MAX_INTEGER else None


def count(value: object) -> int:
    """An int that is never negative; 0 for nothing."""
    return max(integer(value) or 0, 0)


def money_e5(value: object) -> int | None:
    """1/100,000 USD as an integer; None for nothing, 0 and negative.

    A fraction of the unit is rounded up: a price shown too high by 0.00001 USD breaks no promise.
    """
    number = _decimal(value)
    if number is None or number <= 0:
        return None
    whole = int(number.to_integral_value(ROUND_CEILING))
    return whole if whole <= _MAX_INTEGER else None


def flag(value: object) -> bool | None:
    """A bool out of true, "true", "True", 1, "1" and their opposites; else None."""
    if isinstance(value, bool):
        return value
    return {"true": True, "1": True, "false": False, "0": False}.get(text(value).lower())


def moment(value: object) -> datetime | None:
    """Unix seconds as aware UTC; "0" is never, "-1" is not applicable: both None."""
    seconds = integer(value)
    if seconds is None or not 0 < seconds <= _MAX_UNIX_SECONDS:
        return None
    return datetime.fromtimestamp(seconds, tz=UTC)


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
