"""Rows that release 0.5.0 left behind: its endings of what it had wrongly concluded to be gone."""

from __future__ import annotations

import pytest

from core.clock import database_now
from instances.domain.enums import EndingDecision
from instances.domain.types import Cause
from instances.lifecycle.jobs import enqueue_termination
from instances.lifecycle.terminations import drop_if_unasked
from instances.models import Instance, UpstreamEnding
from tests.instances.handlers.conftest import Service, events
from tests.instances.reconciliation.conftest import run_one
from tests.instances.reconciliation.test_reappearing import show_again, vanish
from tests.support.fakes import FakeNovita

pytestmark = pytest.mark.django_db


# The reason that release 0.5.0 wrote.
UNASKED_REASON = "it is listed although its absence was proven"


def begin_as_0_5_0(instance: Instance) -> UpstreamEnding:
    ending = UpstreamEnding.objects.create(
        project=instance.project,
        instance=instance,
        account=instance.upstream_account,
        upstream_id=instance.upstream_id,
        reason=UNASKED_REASON,
    )
    enqueue_termination(ending, instance)
    return ending


def test_an_ending_of_0_5_0_that_nobody_asked_for_sends_no_delete(
    service: Service, novita: FakeNovita
) -> None:
    instance = run_one(service, novita)
    gone = vanish(novita, instance)
    begin_as_0_5_0(instance)
    novita.instances[gone.id] = gone
    service.run("terminate_instance", times=2)
    assert (UpstreamEnding.objects.count(), novita.calls.count("delete_instance")) == (0, 0)
    assert show_again(novita, gone) == ["reappeared"]
    instance.refresh_from_db()
    assert (instance.status, events(instance)[-3]) == ("running", "instance.ending_dropped")


def test_an_unasked_ending_that_another_process_dropped_is_gone_as_well(
    service: Service, novita: FakeNovita
) -> None:
    ending = begin_as_0_5_0(run_one(service, novita))
    cause, now = Cause("worker", "its end was never asked for"), database_now()
    assert [drop_if_unasked(ending, cause=cause, now=now) for _ in range(2)] == [True, True]
    UpstreamEnding.objects.create(
        project=ending.project,
        instance=ending.instance,
        account=ending.account,
        upstream_id=ending.upstream_id,
        wish=EndingDecision.CALLER,
        pk=ending.pk,
    )
    assert not drop_if_unasked(ending, cause=cause, now=now)


def test_what_0_5_0_ended_unasked_is_taken_back_as_well(
    service: Service, novita: FakeNovita
) -> None:
    instance = run_one(service, novita)
    gone = vanish(novita, instance)
    begin_as_0_5_0(instance)
    UpstreamEnding.objects.update(confirmed_at=database_now())
    assert show_again(novita, gone) == ["reappeared"]
    assert service.ask("terminate", instance).status == "terminating"
    assert service.ended(instance).status == "terminated"
    assert UpstreamEnding.objects.get().wish == EndingDecision.CALLER


def test_a_delete_asked_for_later_gives_an_unasked_ending_of_0_5_0_a_decision(
    service: Service, novita: FakeNovita
) -> None:
    instance = run_one(service, novita)
    gone = vanish(novita, instance)
    begin_as_0_5_0(instance)
    assert service.ask("terminate", instance).status == "terminated"
    novita.instances[gone.id] = gone
    service.run("terminate_instance", times=2)
    assert novita.calls.count("delete_instance") == 1
    assert UpstreamEnding.objects.get().wish == EndingDecision.CALLER
