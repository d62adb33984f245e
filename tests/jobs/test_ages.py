"""Jobs by when they were made, found through their ids."""

from __future__ import annotations

from datetime import timedelta

import pytest

from jobs import ages
from jobs.models import Job
from tests.support.engine import database_time

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)


def made(hours: float) -> Job:
    return Job.objects.create(type="noop", created_at=database_time(-hours * HOUR))


def found(after: float | None, before: float | None) -> list[int]:
    moments = [None if hours is None else database_time(-hours * HOUR) for hours in (after, before)]
    rows = ages.created_between(Job.objects.all(), *moments)
    return list(rows.order_by("pk").values_list("pk", flat=True))


def test_each_limit_narrows_the_list() -> None:
    rows = [made(hours).pk for hours in range(9, 0, -1)]
    assert found(None, None) == rows
    assert found(4.5, None) == rows[5:]
    assert found(None, 4.5) == rows[:5]
    assert found(6.5, 3.5) == rows[3:6]
    assert found(0.5, None) == []
    assert found(None, 10) == []
    assert found(10, 0) == rows


def test_gaps_between_the_ids_do_not_matter() -> None:
    rows = [made(hours) for hours in range(40, 0, -1)]
    Job.objects.filter(pk__in=[row.pk for row in rows if row.pk % 7]).delete()
    rest = [row.pk for row in rows if not row.pk % 7]
    for hours in (0.5, 10.5, 20.5, 33.5, 41):
        both = sorted(found(hours, None) + found(None, hours))
        assert both == rest


def test_ids_drawn_a_little_out_of_order_are_found() -> None:
    """The search looks at the third of five rows first; the stray one is behind it."""
    moment = database_time(-HOUR)
    times = (-HOUR, 0 * HOUR, 0 * HOUR, -ages.DISORDER / 2, HOUR / 2)
    rows = [Job.objects.create(type="noop", created_at=moment + time) for time in times]
    before = ages.created_between(Job.objects.all(), None, moment)
    after = ages.created_between(Job.objects.all(), moment, None)
    assert sorted(before.values_list("pk", flat=True)) == [rows[0].pk, rows[3].pk]
    assert sorted(after.values_list("pk", flat=True)) == [rows[n].pk for n in (1, 2, 4)]


def test_a_stray_row_before_its_time_is_found_too() -> None:
    moment = database_time(-HOUR)
    times = (-HOUR, ages.DISORDER / 2, -ages.DISORDER / 2, HOUR / 4, HOUR / 2)
    rows = [Job.objects.create(type="noop", created_at=moment + time) for time in times]
    after = ages.created_between(Job.objects.all(), moment, None)
    assert sorted(after.values_list("pk", flat=True)) == [rows[n].pk for n in (1, 3, 4)]


def test_without_rows_nothing_is_found() -> None:
    assert found(1, 0) == []


def test_ids_bound_the_search() -> None:
    for hours in range(5, 0, -1):
        made(hours)
    sql = str(ages.created_between(Job.objects.all(), database_time(-2.5 * HOUR), None).query)
    assert '"id" >=' in sql
