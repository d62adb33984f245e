"""An instance's own end: terminating until nothing of it is left, and what that costs."""

from __future__ import annotations

from datetime import timedelta

import pytest

from core.clock import database_now
from instances.domain.types import Cause
from instances.lifecycle.charges import cost_so_far_e5_usd
from instances.lifecycle.terminations import begin_ending
from instances.models import Instance, UpstreamEnding
from jobs.models import Job
from tests.instances.handlers.conftest import Service, age, events, let_ten_seconds_pass
from tests.support.engine import database_time
from tests.support.fakes import DOWN, TIMED_OUT, FakeNovita

pytestmark = pytest.mark.django_db

CAUSE = Cause("worker", reason="a test")


def ending() -> UpstreamEnding:
    return UpstreamEnding.objects.get()


def terminate(service: Service, *, times: int = 1) -> UpstreamEnding:
    service.run("terminate_instance", times=times)
    return ending()


@pytest.mark.parametrize("status", ["starting", "running", "stopping", "stopped", "migrating"])
def test_what_is_at_novita_is_terminated_once_its_absence_is_proven(
    service: Service, novita: FakeNovita, status: str
) -> None:
    instance = service.running(novita)
    Instance.objects.filter(pk=instance.pk).update(status=status)
    assert service.ask("terminate", instance).status == "terminating"
    service.run("terminate_instance", times=2)
    instance.refresh_from_db()
    assert (instance.status, novita.instances) == ("terminating", {})
    assert service.ended(instance).status == "terminated"
    assert instance.upstream_gone_at is not None
    assert instance.ended_at is not None
    assert events(instance)[-4:] == [
        *("instance.terminating", "instance.ending_begun"),
        *("instance.ending_confirmed", "instance.terminated"),
    ]


def test_ended_before_anything_was_sent_nothing_is_sent(
    service: Service, novita: FakeNovita
) -> None:
    instance = service.create()
    assert service.ask("terminate", instance).status == "terminated"
    service.run("create_instance", times=3)
    assert (novita.created, instance.endings.exists()) == ([], False)
    assert Job.objects.live().filter(type="create_instance").count() == 0


def test_ended_between_two_steps_nothing_is_sent(service: Service, novita: FakeNovita) -> None:
    instance = service.create()
    service.run("create_instance")
    assert service.ask("terminate", instance).status == "terminated"
    service.run("create_instance", times=3)
    assert novita.created == []


def test_ended_while_the_create_is_on_the_wire_what_it_made_is_ended(
    service: Service, novita: FakeNovita
) -> None:
    instance = service.create()
    service.run("create_instance")
    novita.meanwhile["create_instance"] = lambda: service.ask("terminate", instance)
    service.run("create_instance")
    instance.refresh_from_db()
    assert (instance.status, instance.upstream_id) == ("terminating", "up-1")
    assert events(instance)[-2:] == ["instance.arrived_late", "instance.ending_begun"]
    assert service.ended(instance).status == "terminated"
    assert (novita.instances, len(novita.created)) == ({}, 1)


def test_an_unconfirmed_create_whose_instance_is_ended_is_found_later_and_ended(
    service: Service, novita: FakeNovita
) -> None:
    instance = service.create()
    novita.fail("create_instance", TIMED_OUT, acts=True)
    novita.unlisted = {"up-1"}
    service.run("create_instance", times=2)
    assert service.ask("terminate", instance).status == "terminating"
    service.run("create_instance", times=4)
    assert service.ended(instance).status == "terminating"
    novita.unlisted = set()
    service.run("create_instance")
    assert service.ended(instance).status == "terminated"
    assert (novita.instances, len(novita.created)) == ({}, 1)


def test_an_unconfirmed_create_that_never_acted_is_terminated_when_that_is_proven(
    service: Service, novita: FakeNovita
) -> None:
    instance = service.create()
    novita.fail("create_instance", TIMED_OUT)
    service.run("create_instance", times=2)
    service.ask("terminate", instance)
    service.run("create_instance", times=5)
    instance.refresh_from_db()
    assert instance.status == "terminating"
    age(instance, posted_at=timedelta(minutes=5))
    service.run("create_instance")
    instance.refresh_from_db()
    assert (instance.status, novita.calls.count("create_instance")) == ("terminated", 1)
    assert Job.objects.live().filter(type="create_instance").count() == 0


def test_it_is_terminated_only_when_its_duplicates_are_gone_too(
    service: Service, novita: FakeNovita
) -> None:
    instance = service.running(novita)
    novita.put("up-2", status="running")
    service.ask("terminate", instance)
    begin_ending(instance, "up-2", cause=CAUSE, now=database_now())
    novita.fail("delete_instance", DOWN)
    del novita.instances["up-1"]
    service.run("terminate_instance")
    let_ten_seconds_pass()
    service.run("terminate_instance")
    instance.refresh_from_db()
    assert (instance.status, instance.is_holding) == ("terminating", False)
    assert service.ended(instance).status == "terminated"
    assert novita.instances == {}


def test_a_failed_one_with_a_duplicate_still_to_end_is_not_terminated_at_once(
    service: Service, novita: FakeNovita
) -> None:
    instance = service.running(novita)
    novita.put("up-2", status="running")
    begin_ending(instance, "up-2", cause=CAUSE, now=database_now())
    Instance.objects.update(
        status="failed", error_code="STARTUP_FAILED", upstream_gone_at=database_now()
    )
    assert service.ask("terminate", instance).status == "terminating"
    assert service.ended(instance).status == "terminated"


def test_a_failed_one_stays_failed_when_its_gpu_is_gone(
    service: Service, novita: FakeNovita
) -> None:
    instance = service.placed()
    novita.put("up-1", status="exited")
    service.monitor(instance)
    assert service.ended(instance).status == "failed"
    assert instance.upstream_gone_at is not None


@pytest.mark.parametrize("status", ["terminated", "failed"])
def test_what_is_there_after_all_is_ended_anew(
    service: Service, novita: FakeNovita, status: str
) -> None:
    """As the reconciler does it, when a list shows what two reads did not find."""
    instance = service.running(novita)
    service.ask("terminate", instance)
    service.ended(instance)
    if status == "failed":
        Instance.objects.update(status="failed", error_code="STARTUP_FAILED")
        instance.refresh_from_db()
    novita.put("up-1", status="running")
    begin_ending(instance, "up-1", cause=CAUSE, now=database_now())
    assert (ending().confirmed_at, ending().looks) == (None, 0)
    assert service.ended(instance).status == status
    assert (ending().confirmed_at is not None, novita.instances) == (True, {})
    assert events(instance).count("instance.ending_begun") == 2


def test_asking_twice_ends_once(service: Service, novita: FakeNovita) -> None:
    instance = service.running(novita)
    service.ask("terminate", instance)
    before = events(instance)
    service.ask("terminate", instance)
    assert events(instance) == before
    service.ended(instance)
    assert service.ask("terminate", instance).status == "terminated"
    assert novita.calls.count("delete_instance") == 1


# What it costs while it ends


def charged_since(instance: Instance, span: timedelta) -> None:
    Instance.objects.filter(pk=instance.pk).update(
        billing_since=database_time(-span), closed_cost_e5_usd=0, price_e5_usd=36_000
    )


def test_the_cost_stops_when_novita_took_the_delete_as_the_next_read_shows(
    service: Service, novita: FakeNovita
) -> None:
    instance = service.running(novita)
    charged_since(instance, timedelta(hours=1))
    service.ask("terminate", instance)
    service.run("terminate_instance")
    # Ten minutes until the next run.
    age(instance, upstream_seen_at=timedelta(minutes=10), billing_since=timedelta(minutes=10))
    service.run("terminate_instance")
    instance.refresh_from_db()
    assert instance.billing_since is None
    assert 36_000 <= instance.closed_cost_e5_usd < 36_100
    cost = instance.closed_cost_e5_usd
    assert service.ended(instance).closed_cost_e5_usd == cost


def test_a_delete_that_novita_ignores_is_charged_on(service: Service, novita: FakeNovita) -> None:
    instance = service.running(novita)
    charged_since(instance, timedelta(hours=1))
    service.ask("terminate", instance)
    for _ in range(4):
        service.run("terminate_instance")
        novita.put("up-1", status="running")
        # A minute passes until the next run.
        age(instance, upstream_seen_at=timedelta(minutes=1), billing_since=timedelta(minutes=1))
    service.run("terminate_instance")
    instance.refresh_from_db()
    # An hour, and four minutes of deletes without effect, at 0.36 USD an hour.
    assert abs(cost_so_far_e5_usd(instance, database_now()) - 36_000 * 64 / 60) < 100


def test_a_lost_delete_that_acted_is_charged_until_it_was_sent(
    service: Service, novita: FakeNovita
) -> None:
    instance = service.running(novita)
    charged_since(instance, timedelta(hours=1))
    service.ask("terminate", instance)
    novita.fail("delete_instance", TIMED_OUT, acts=True)
    service.run("terminate_instance")
    # Ten minutes of outage until the next run.
    age(instance, upstream_seen_at=timedelta(minutes=10), billing_since=timedelta(minutes=10))
    service.run("terminate_instance")
    instance.refresh_from_db()
    assert (instance.billing_since, instance.closed_cost_e5_usd // 100) == (None, 360)
