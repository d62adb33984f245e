"""Many instances that are missing at once are not believed to be gone."""

from __future__ import annotations

from datetime import timedelta

import pytest

from core.clock import database_now
from instances.models import Installation, ReconcileRun
from instances.novita import installation
from tests.instances.handlers.conftest import Service
from tests.instances.reconciliation.conftest import (
    kinds,
    leave_calls,
    reconcile,
    reconcile_for,
    run_one,
)
from tests.instances.reconciliation.test_following import AFTER, after
from tests.support.fakes import FakeNovita
from upstream.types import InstancePage

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("count", [3, 5])
def test_many_that_vanish_at_once_are_not_believed(
    service: Service, novita: FakeNovita, count: int
) -> None:
    instances = [run_one(service, novita, name=f"n{n}") for n in range(count)]
    novita.instances.clear()
    report = reconcile()
    reconcile_for(AFTER)
    assert {after(each)[0] for each in instances} == {"running"}
    assert "brake" in kinds(report)
    assert Installation.objects.get().braked_at is not None
    assert "accept" in ReconcileRun.objects.first().note


def test_many_that_are_gone_are_believed_after_an_hour(
    service: Service, novita: FakeNovita
) -> None:
    instances = [run_one(service, novita, name=f"n{n}") for n in range(3)]
    novita.instances.clear()
    reconcile_for(timedelta(hours=1, minutes=5))
    assert {after(each)[0] for each in instances} == {"terminated"}
    reconcile()
    assert Installation.objects.get().braked_at is None


def test_the_mass_guard_stays_on_while_they_are_missing(
    service: Service, novita: FakeNovita
) -> None:
    instances = [run_one(service, novita, name=f"n{n}") for n in range(12)]
    for each in instances[:4]:
        del novita.instances[each.upstream_id]
    reconcile()
    # A tenth more of the others would make those four less than a fifth of all.
    Installation.objects.update(brake_reason="as it was")
    [run_one(service, novita, name=f"m{n}") for n in range(12)]
    assert "brake" in kinds(reconcile_for(AFTER))
    assert {after(each)[0] for each in instances} == {"running"}


@pytest.mark.parametrize("looks", [1, 2])
def test_the_mass_guard_counts_what_no_read_was_left_for(
    service: Service, novita: FakeNovita, looks: int
) -> None:
    instances = [run_one(service, novita, name=f"n{n}") for n in range(6)]
    for each in instances[:4]:
        del novita.instances[each.upstream_id]
    for _ in range(2):
        leave_calls(1 + looks)
        assert "brake" in kinds(reconcile())
    assert {after(each)[0] for each in instances} == {"running"}


def test_a_list_that_is_not_whole_does_not_switch_the_mass_guard_off(
    service: Service, novita: FakeNovita
) -> None:
    instances = [run_one(service, novita, name=f"n{n}") for n in range(6)]
    novita.unlisted.update(each.upstream_id for each in instances)
    Installation.objects.update(braked_at=database_now(), brake_reason="as it was")
    novita.lists = lambda page: InstancePage((), 6)
    reconcile()
    assert Installation.objects.get().braked_at is not None
    novita.lists = lambda page: page
    novita.unlisted.clear()
    reconcile()
    assert Installation.objects.get().braked_at is None


def test_an_operator_may_switch_the_mass_guard_off(service: Service, novita: FakeNovita) -> None:
    instances = [run_one(service, novita, name=f"n{n}") for n in range(3)]
    novita.instances.clear()
    reconcile()
    installation.release_mass_guard()
    reconcile()
    reconcile()
    assert {after(each)[0] for each in instances} == {"terminated"}
    assert Installation.objects.get().braked_at is None


def test_the_mass_guard_is_switched_off_when_they_are_back(
    service: Service, novita: FakeNovita
) -> None:
    for n in range(3):
        run_one(service, novita, name=f"n{n}")
    gone = dict(novita.instances)
    novita.instances.clear()
    reconcile()
    novita.instances.update(gone)
    reconcile()
    assert Installation.objects.get().braked_at is None


def test_a_few_of_many_are_believed(service: Service, novita: FakeNovita) -> None:
    instances = [run_one(service, novita, name=f"n{n}") for n in range(4)]
    for each in instances[:2]:
        del novita.instances[each.upstream_id]
    reconcile_for(AFTER)
    assert [after(each)[0] for each in instances] == ["terminated"] * 2 + ["running"] * 2
