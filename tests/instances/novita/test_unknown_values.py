"""Words and prices of Novita that this release cannot read: told once, counted each time."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from structlog.testing import capture_logs
from structlog.typing import EventDict

from instances.models import Tally
from instances.novita import call_log, limiter
from instances.novita.limiter import Permit
from upstream.call_records import CallOutcome, CallRecord
from upstream.vocabulary import UnknownValue

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("nothing_logged_yet")]

WORD = UnknownValue("status", "hibernating")
PRICE = UnknownValue("price", "0.35")


def report(*values: UnknownValue) -> list[EventDict]:
    call = CallRecord("list_products", CallOutcome.OK, 0.1, status=200, unknown_values=values)
    with capture_logs() as logs:
        limiter.report([(Permit(1, timedelta(0)), [call])])
    return [line for line in logs if line["event"] == "novita_value_unknown"]


def test_each_unknown_value_is_logged_once_with_its_field() -> None:
    first = report(WORD, PRICE)
    assert [(line["field"], line["value"]) for line in first] == [
        ("status", "hibernating"),
        ("price", "0.35"),
    ]
    assert {line["log_level"] for line in first} == {"warning"}
    assert report(WORD, PRICE) == []
    assert len(report(UnknownValue("status", "asleep"))) == 1


def test_answers_with_an_unknown_value_are_counted_by_field() -> None:
    report(WORD, UnknownValue("status", "asleep"))
    report(WORD, PRICE)
    rows = Tally.objects.filter(name="upstream_unknown_values_total")
    assert {row.labels["field"]: row.value for row in rows} == {
        "status": Decimal(2),
        "price": Decimal(1),
    }


def test_what_is_remembered_of_unknown_values_is_bounded() -> None:
    many = [UnknownValue("status", f"word-{n}") for n in range(call_log.MAX_UNKNOWN + 5)]
    assert len(report(*many)) == len(many)
