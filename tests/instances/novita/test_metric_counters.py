"""Counters that all processes add to."""

from __future__ import annotations

import threading
from decimal import Decimal
from typing import Any

import pytest
from django.db import transaction

from instances.models import Tally
from instances.novita import metric_counters
from tests.jobs.conftest import in_thread


def values() -> dict[str, Decimal]:
    return {row.name: row.value for row in Tally.objects.all()}


@pytest.mark.django_db
def test_counts_add_up() -> None:
    metric_counters.count("a", x="1")
    metric_counters.add(
        {metric_counters.key("a", x="1"): Decimal(2), metric_counters.key("b"): Decimal("0.5")}
    )
    metric_counters.add({})
    assert values() == {"a": 3, "b": Decimal("0.5")}


@pytest.mark.django_db
def test_labels_tell_counters_apart_whatever_their_order() -> None:
    metric_counters.count("a", x="1", y="2")
    metric_counters.count("a", y="2", x="1")
    metric_counters.count("a", x="1", y="3")
    assert sorted(row.value for row in Tally.objects.all()) == [1, 2]


@pytest.mark.django_db(transaction=True)
def test_many_adders_of_many_counters_do_not_deadlock() -> None:
    keys = [metric_counters.key("n", label=str(number)) for number in range(20)]
    start = threading.Barrier(2)

    def add(order: list[Any]) -> bool:
        start.wait(timeout=10)
        for _ in range(20):
            with transaction.atomic():
                metric_counters.add({key: Decimal(1) for key in order})
        return True

    results: list[bool] = []
    threads = [
        threading.Thread(target=lambda order=order: results.append(in_thread(lambda: add(order))))
        for order in (keys, keys[::-1])
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=20)
    assert results == [True, True]
    assert {row.value for row in Tally.objects.all()} == {40}
