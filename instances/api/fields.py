"""Fields of instances' request bodies: prices and template ids."""

import re
from decimal import Decimal
from typing import Any

from core.request_fields import CONTROL, MAX_SAFE_INTEGER, TEXT_TOLD, StrictField, is_integer
from instances.domain.money import E5

_USD = re.compile(r"[0-9]{1,5}(\.[0-9]{1,5})?")
# The same, as far as it is in bounds: more than 0, at most 10,000.
_USD_TOLD = (
    r"^(10000(\.0{1,5})?|0?[1-9][0-9]{0,3}(\.[0-9]{1,5})?|0{1,5}\.([1-9][0-9]{0,4}"
    r"|0[1-9][0-9]{0,3}|00[1-9][0-9]{0,2}|000[1-9][0-9]?|0000[1-9]))$"
)


class UsdPriceField(StrictField):
    """US dollars an hour as a decimal string, or as a JSON number; becomes 1/100,000 USD.

    A number is taken by the digits it is written with, so no float is ever calculated with, and cut
    to five places: 0.1 + 0.2 is 0.30000000000000004 where clients calculate, and a cap cut down is
    never exceeded.
    """

    default_error_messages = {
        "type": '{label} must be a decimal string in USD such as "1.50"',
        "bounds": "{label} must be more than 0 and at most {most} USD",
    }
    most_usd = 10_000

    def __init__(self, **kwargs: Any) -> None:
        text = {"type": "string", "pattern": _USD_TOLD, "examples": ["1.50"]}
        number = {"type": "number", "minimum": 0.00001, "maximum": self.most_usd}
        super().__init__(schema={"oneOf": [text, number]}, **kwargs)

    def to_internal_value(self, data: Any) -> int:
        is_number = type(data) in (int, float)
        text = _cut_digits(data) if is_number else data
        if not isinstance(text, str) or not _USD.fullmatch(text):
            self.fail("type")
        amount = int(Decimal(text).scaleb(5))
        if not 0 < amount <= self.most_usd * E5:
            self.fail("bounds", most=f"{self.most_usd:,}")
        return amount


def _cut_digits(number: float) -> str:
    whole, _, places = format(Decimal(str(number)), "f").partition(".")
    return f"{whole}.{places[:5] or '0'}"


class TemplateIdField(StrictField):
    """A template's id: Novita writes them as text, clients keep them as numbers, too."""

    default_error_messages = {
        "type": "{label} must be a non-empty string or a positive integer",
        "blank": "{label} is required",
        "max_length": "{label} must be at most {max_length} characters",
        "control": "{label} must not contain control characters",
    }
    max_length = 255

    def __init__(self, **kwargs: Any) -> None:
        text = {"type": "string", "minLength": 1, "maxLength": self.max_length}
        number = {"type": "integer", "minimum": 1, "maximum": MAX_SAFE_INTEGER}
        super().__init__(schema={"oneOf": [{**text, "pattern": TEXT_TOLD}, number]}, **kwargs)

    def to_internal_value(self, data: Any) -> str:
        if is_integer(data) and data > 0:
            return str(int(data))
        if not isinstance(data, str):
            self.fail("type")
        if not data.strip():
            self.fail("blank")
        if len(data) > self.max_length:
            self.fail("max_length", max_length=self.max_length)
        if CONTROL.search(data):
            self.fail("control")
        return data
