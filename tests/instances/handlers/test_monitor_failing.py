"""monitor_instance: what never runs, and what is not there any more."""

from __future__ import annotations

from datetime import timedelta

import pytest

from core.clock import database_now
from instances.handlers.monitor import MonitorInstance
from instances.models import Instance, UpstreamEnding, UpstreamGate
from jobs.models import Job
from tests.instances.handlers.conftest import HOOK, Service, age, events
from tests.instances.handlers.monitoring import job, many, monitor, wait_of
from tests.support.fakes import DOWN, TOO_MANY, FakeNovita

pytestmark = pytest.mark.django_db

LONG = timedelta(hours=1)


@pytest.fixture
def instance(service: Service, novita: FakeNovita) -> Instance:
    placed = service.placed(webhook_url=HOOK)
    novita.calls.clear()
    return placed


@pytest.mark.parametrize(
    ("seen", "words"),
    [
        ({"status": "exited", "status_error_message": "image pull failed"}, "image pull failed"),
        ({"status": "exited", "status_error_state": "IMAGE_ERROR"}, "IMAGE_ERROR"),
        ({"status": "removing", "status_error_message": "no such image"}, "no such image"),
        ({"status": "exited"}, "exited"),
        ({"status": "toRemove"}, "toRemove"),
    ],
)
def test_what_can_never_run_fails_and_is_ended(
    service: Service,
    novita: FakeNovita,
    instance: Instance,
    seen: dict[str, str],
    words: str,
) -> None:
    novita.put("up-1", **seen)
    monitor(service, instance)
    assert (instance.status, instance.error_code) == ("failed", "STARTUP_FAILED")
    assert words in instance.error_message
    assert UpstreamEnding.objects.get().upstream_id == "up-1"
    assert Job.objects.filter(type="terminate_instance", status="pending").exists()
    assert events(instance)[-2:] == ["instance.failed", "instance.ending_begun"]


def test_not_running_in_time_fails_and_is_ended(
    service: Service, novita: FakeNovita, instance: Instance
) -> None:
    novita.put("up-1", status="pulling")
    age(instance, start_deadline_at=LONG, created_at=LONG)
    monitor(service, instance)
    assert (instance.status, instance.error_code) == ("failed", "STARTUP_TIMEOUT")
    assert instance.error_message == "Not running after 600 s; Novita last said pulling."
    assert UpstreamEnding.objects.get().upstream_id == "up-1"


def test_an_outage_over_the_deadline_ends_nothing_unseen(
    service: Service, novita: FakeNovita, instance: Instance
) -> None:
    novita.put("up-1", status="running")
    now = database_now()
    Instance.objects.filter(pk=instance.pk).update(start_deadline_at=now - timedelta(seconds=60))
    novita.fail("get_instance", DOWN)
    assert monitor(service, instance).status == "starting"
    assert monitor(service, instance).status == "running"


def test_what_cannot_be_seen_for_long_after_its_deadline_is_ended(
    service: Service, novita: FakeNovita, instance: Instance
) -> None:
    age(instance, start_deadline_at=LONG)
    novita.fail("get_instance", DOWN)
    assert monitor(service, instance).error_code == "STARTUP_TIMEOUT"
    assert UpstreamEnding.objects.get().upstream_id == "up-1"


def test_what_a_list_shows_running_at_the_deadline_is_not_ended(
    service: Service, novita: FakeNovita
) -> None:
    for row in many(service, novita, 3):
        age(row, start_deadline_at=LONG)
    for number in range(1, 4):
        novita.put(f"up-{number}", status="running")
    service.run("monitor_instance", times=2)
    assert Instance.objects.filter(status="running").count() == 3


def test_a_start_that_is_not_found_goes_on_until_its_deadline(
    service: Service, novita: FakeNovita, instance: Instance
) -> None:
    novita.instances.clear()
    age(instance, posted_at=timedelta(hours=1))
    monitor(service, instance, times=3)
    age(instance, absence_seen_at=timedelta(minutes=9))
    monitor(service, instance)
    assert (instance.status, instance.reason_code) == ("starting", "NOT_SEEN_AT_NOVITA")
    assert not instance.endings.exists()
    age(instance, start_deadline_at=timedelta(hours=1))
    monitor(service, instance)
    assert (instance.status, instance.error_code) == ("failed", "STARTUP_TIMEOUT")
    assert instance.endings.get().wish == "failed_start"
    assert "instance.ending_confirmed" not in events(instance)


def test_a_kept_start_that_was_not_seen_is_not_ended_for_that(
    service: Service, novita: FakeNovita
) -> None:
    kept = service.placed(on_start_failure="keep")
    gone = dict(novita.instances)
    novita.instances.clear()
    age(kept, posted_at=timedelta(hours=1))
    monitor(service, kept)
    age(kept, start_deadline_at=timedelta(hours=1))
    assert monitor(service, kept).status == "failed"
    novita.instances.update(gone)
    service.run("terminate_instance")
    assert set(novita.instances) == set(gone)


def test_what_vanishes_after_it_was_seen_running_is_not_asked_for_without_a_pause(
    service: Service, novita: FakeNovita
) -> None:
    made = many(service, novita, 3)
    novita.put("up-1", status="running")
    service.run("monitor_instance")
    del novita.instances["up-1"]
    service.run("monitor_instance")
    assert wait_of(made[0]) > timedelta(0)


def test_what_vanishes_before_its_connect_blocks_were_read_is_not_asked_for_for_ever(
    service: Service, novita: FakeNovita
) -> None:
    """Two hundred such rows took every call there was, and nothing could be created any more."""
    made = many(service, novita, 3)[0]
    novita.put("up-1", status="running")
    service.run("monitor_instance")
    novita.fail("get_instance", DOWN, times=3)
    assert monitor(service, made).status == "running"
    novita.heal()
    del novita.instances["up-1"]
    monitor(service, made)
    assert (made.has_details, wait_of(made) > timedelta(seconds=15)) == (False, True)


def test_an_error_on_the_way_is_no_absence(
    service: Service, novita: FakeNovita, instance: Instance
) -> None:
    for error in (DOWN, TOO_MANY):
        novita.fail("get_instance", error)
        monitor(service, instance)
        UpstreamGate.objects.update(paused_until=None)
    assert (instance.status, instance.absence_seen_at) == ("starting", None)


def test_a_monitor_job_that_gives_up_fails_its_instance_and_ends_the_gpu(
    service: Service, novita: FakeNovita, instance: Instance
) -> None:
    assert MonitorInstance().is_redrivable(job(instance))
    MonitorInstance().on_give_up(job(instance), "The worker died in each of 5 attempts.")
    instance.refresh_from_db()
    assert (instance.status, instance.error_code) == ("failed", "INTERNAL_ERROR")
    assert UpstreamEnding.objects.get().upstream_id == "up-1"
    assert not MonitorInstance().is_redrivable(job(instance))
