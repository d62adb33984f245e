"""enforce_limits, and what a project may ask for: nothing runs longer, dearer or more of it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from instances.handlers.limits import EnforceLimits
from instances.models import Instance, InstanceEvent
from jobs import control, queue
from jobs.models import Job
from tests.instances.conftest import Configure
from tests.instances.handlers.conftest import HOOK, Service, age, events
from tests.support.engine import database_time
from tests.support.fakes import FakeNovita
from webhooks.models import Message

pytestmark = pytest.mark.django_db


def enforce(service: Service, *, times: int = 1) -> None:
    queue.ensure_recurring()
    service.run("enforce_limits", times=times)


def limited(service: Service, novita: FakeNovita, **spec: Any) -> Instance:
    return service.running(novita, max_runtime_minutes=60, **spec)


def ends_in(instance: Instance, span: timedelta) -> Instance:
    Instance.objects.filter(pk=instance.pk).update(expires_at=database_time(span))
    instance.refresh_from_db()
    return instance


# The end of a life


def test_a_life_begins_with_the_first_charged_second(service: Service, novita: FakeNovita) -> None:
    instance = limited(service, novita)
    assert instance.started_at is not None
    assert instance.expires_at == instance.started_at + timedelta(minutes=60)


def test_what_has_reached_its_end_is_ended_once(service: Service, novita: FakeNovita) -> None:
    instance = ends_in(limited(service, novita), timedelta(0))
    enforce(service, times=3)
    instance.refresh_from_db()
    assert (instance.status, instance.reason_code) == ("terminating", "RUNTIME_LIMIT")
    assert "60 minutes" in instance.reason_message
    assert events(instance).count("instance.terminating") == 1
    service.ended(instance)
    assert (instance.status, novita.instances) == ("terminated", {})
    enforce(service)
    assert events(instance)[-1] == "instance.terminated"


@pytest.mark.parametrize("status", ["starting", "stopping", "stopped", "migrating"])
def test_whatever_it_is_doing_it_ends(service: Service, novita: FakeNovita, status: str) -> None:
    instance = ends_in(limited(service, novita), timedelta(0))
    Instance.objects.update(status=status)
    enforce(service)
    instance.refresh_from_db()
    assert instance.status == "terminating"


def test_what_was_kept_after_a_failure_ends_as_well(service: Service, novita: FakeNovita) -> None:
    instance = service.placed(max_runtime_minutes=60, on_start_failure="keep")
    novita.put("up-1", status="pulling")
    age(instance, start_deadline_at=timedelta(hours=1))
    assert service.monitor(instance).status == "failed"
    ends_in(instance, timedelta(0))
    enforce(service)
    instance.refresh_from_db()
    assert (instance.status, instance.error_code) == ("terminating", "STARTUP_TIMEOUT")


def test_a_failed_one_that_is_being_ended_stays_failed(
    service: Service, novita: FakeNovita
) -> None:
    instance = service.placed(max_runtime_minutes=60)
    novita.put("up-1", status="pulling")
    age(instance, start_deadline_at=timedelta(hours=1))
    assert service.monitor(instance).status == "failed"
    ends_in(instance, timedelta(0))
    enforce(service)
    instance.refresh_from_db()
    assert (instance.status, instance.expiry_warned_at) == ("failed", None)


def test_what_has_no_limit_and_what_is_not_due_runs_on(
    service: Service, novita: FakeNovita
) -> None:
    free, early = service.running(novita), limited(service, novita)
    ends_in(early, timedelta(hours=1))
    enforce(service)
    for instance in (free, early):
        instance.refresh_from_db()
        assert (instance.status, instance.expiry_warned_at) == ("running", None)


def test_it_runs_again_no_later_than_the_next_end(service: Service, novita: FakeNovita) -> None:
    ends_in(limited(service, novita), timedelta(seconds=2))
    enforce(service)
    job = Job.objects.get(type="enforce_limits")
    assert job.status == "pending"
    assert job.run_at <= database_time(timedelta(seconds=2))


def test_one_that_is_ended_while_it_is_read_is_left_alone(
    service: Service, novita: FakeNovita
) -> None:
    instance = ends_in(limited(service, novita), timedelta(0))
    service.ask("terminate", instance)
    before = events(instance)
    enforce(service)
    assert events(instance) == before


def test_a_worker_that_lost_its_lease_ends_nothing(service: Service, novita: FakeNovita) -> None:
    instance = ends_in(limited(service, novita), timedelta(0))
    queue.ensure_recurring()
    Job.objects.filter(type="enforce_limits").update(
        status="processing", lease_token=2, lease_expires_at=database_time(timedelta(minutes=1))
    )
    mine = Job.objects.get(type="enforce_limits")
    mine.lease_token = 1
    EnforceLimits().load([mine])
    instance.refresh_from_db()
    assert (instance.status, instance.expiry_warned_at) == ("running", None)


# The warning


def test_it_is_told_once_before_the_end(
    service: Service, novita: FakeNovita, configure: Configure
) -> None:
    configure(expiry_warning=300)
    instance = ends_in(limited(service, novita, webhook_url=HOOK), timedelta(seconds=301))
    enforce(service)
    assert "instance.expiring" not in events(instance)
    ends_in(instance, timedelta(seconds=299))
    enforce(service, times=3)
    assert events(instance).count("instance.expiring") == 1
    event = InstanceEvent.objects.get(type="instance.expiring")
    instance.refresh_from_db()
    assert instance.status == "running"
    assert event.data["expiresAt"][:16] == f"{instance.expires_at:%Y-%m-%dT%H:%M}"
    assert Message.objects.filter(body__contains=event.public_id).count() == 1


def test_a_short_life_is_warned_of_at_half_time(
    service: Service, novita: FakeNovita, configure: Configure
) -> None:
    configure(expiry_warning=300)
    instance = service.running(novita, max_runtime_minutes=2)
    ends_in(instance, timedelta(seconds=70))
    enforce(service)
    assert "instance.expiring" not in events(instance)
    ends_in(instance, timedelta(seconds=50))
    enforce(service)
    assert "instance.expiring" in events(instance)


def test_what_ends_already_is_not_warned_of(service: Service, novita: FakeNovita) -> None:
    instance = ends_in(limited(service, novita), timedelta(seconds=30))
    service.ask("terminate", instance)
    enforce(service)
    assert "instance.expiring" not in events(instance)


# What an operator has paused


def test_a_create_whose_jobs_are_paused_says_so_and_goes_on(
    service: Service, novita: FakeNovita
) -> None:
    instance = service.create()
    control.pause("create_instance", actor="admin:ann", reason="a test of stock")
    enforce(service, times=2)
    instance.refresh_from_db()
    assert (instance.wait_code, events(instance)[-1]) == ("JOBS_PAUSED", "instance.waiting")
    assert events(instance).count("instance.waiting") == 1
    assert "create_instance: a test of stock" in instance.wait_message
    control.resume("create_instance", actor="admin:ann")
    service.run("create_instance", times=3)
    instance.refresh_from_db()
    assert (instance.status, instance.wait_code) == ("starting", "")


def test_an_end_whose_jobs_are_paused_says_so_until_it_goes_on(
    service: Service, novita: FakeNovita
) -> None:
    instance = service.running(novita)
    service.ask("terminate", instance)
    control.pause("terminate_instance", actor="admin:ann")
    enforce(service, times=2)
    instance.refresh_from_db()
    assert instance.reason_code == "ENDING_HELD_UP"
    assert "terminate_instance" in instance.reason_message
    assert events(instance).count("instance.ending_held_up") == 1
    control.resume("terminate_instance", actor="admin:ann")
    service.run("terminate_instance")
    instance.refresh_from_db()
    assert (instance.status, instance.reason_code) == ("terminating", "")
