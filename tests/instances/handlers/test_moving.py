"""monitor_instance, after the first start: what starts again, stops or moves comes to rest."""

from __future__ import annotations

from datetime import timedelta

import pytest

from instances.models import Instance
from jobs.models import Job
from tests.instances.handlers.conftest import HOOK, Service, age, events
from tests.instances.reconciliation.conftest import reconcile_for
from tests.support.engine import database_time
from tests.support.fakes import DOWN, FakeNovita
from tests.support.messages import told_of

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)


def under_way(service: Service, novita: FakeNovita, verb: str) -> Instance:
    """An instance whose verb Novita has taken."""
    instance = service.stopped(novita) if verb == "start" else service.running(novita)
    service.ask(verb, instance)
    service.run(f"{verb}_instance")
    instance.refresh_from_db()
    assert instance.action_accepted_at is not None
    return instance


def is_monitored(instance: Instance) -> bool:
    return Job.objects.live().filter(type="monitor_instance", subject=instance.public_id).exists()


# Starting again


def test_a_start_that_comes_to_run_is_told_with_its_new_addresses(
    service: Service, novita: FakeNovita
) -> None:
    instance = under_way(service, novita, "start")
    novita.put("up-1", status="pulling")
    assert service.monitor(instance).status == "starting"
    novita.put("up-1", status="running", ssh_command="ssh -p 7 root@new")
    service.monitor(instance)
    assert (instance.status, instance.action, instance.reason_code) == ("running", "", "")
    assert instance.connection == {"ssh": "ssh://root@new:7"}
    assert not is_monitored(instance)


def test_a_start_keeps_the_moment_of_the_first_one(service: Service, novita: FakeNovita) -> None:
    instance = under_way(service, novita, "start")
    ready, started = instance.ready_at, instance.started_at
    novita.put("up-1", status="running")
    service.monitor(instance)
    assert (instance.ready_at, instance.started_at) == (ready, started)


def test_a_restart_is_not_announced_by_the_running_from_before(
    service: Service, novita: FakeNovita
) -> None:
    instance = under_way(service, novita, "restart")
    novita.put("up-1", status="running", last_started_at=database_time(-HOUR))
    assert service.monitor(instance, times=2).status == "starting"
    novita.put("up-1", status="restarting")
    assert service.monitor(instance).status == "starting"
    novita.put("up-1", status="running", last_started_at=database_time())
    assert service.monitor(instance).status == "running"
    assert events(instance).count("instance.running") == 2


@pytest.mark.parametrize("verb", ["start", "restart"])
def test_a_start_past_its_deadline_is_stopped_and_keeps_its_disk(
    service: Service, novita: FakeNovita, verb: str
) -> None:
    instance = under_way(service, novita, verb)
    novita.put("up-1", status="starting")
    assert service.monitor(instance).status == "starting"
    age(instance, start_deadline_at=HOUR)
    service.monitor(instance)
    assert (instance.status, instance.reason_code) == ("stopping", "STARTUP_TIMEOUT")
    assert not instance.endings.exists()
    novita.put("up-1", status="running")
    service.run("stop_instance")
    assert novita.instances["up-1"].status == "toStop"
    novita.put("up-1", status="exited")
    service.monitor(instance)
    assert (instance.status, instance.reason_code) == ("stopped", "STARTUP_TIMEOUT")
    assert "delete_instance" not in novita.calls


def test_an_outage_over_the_deadline_of_a_restart_stops_nothing_unseen(
    service: Service, novita: FakeNovita
) -> None:
    instance = under_way(service, novita, "restart")
    age(instance, start_deadline_at=HOUR, action_accepted_at=HOUR, upstream_seen_at=HOUR)
    novita.fail("get_instance", DOWN)
    assert service.monitor(instance).status == "starting"
    novita.put("up-1", status="running")
    assert service.monitor(instance).status == "running"


# Stopping


def test_a_stop_without_effect_is_sent_again(service: Service, novita: FakeNovita) -> None:
    instance = under_way(service, novita, "stop")
    novita.put("up-1", status="running")
    service.monitor(instance)
    assert not Job.objects.live().filter(type="stop_instance").exists()
    age(instance, action_accepted_at=timedelta(seconds=15))
    service.monitor(instance)
    assert instance.action_accepted_at is None
    service.run("stop_instance")
    assert novita.calls.count("stop_instance") == 2


def test_what_is_stuck_is_told_once(service: Service, novita: FakeNovita) -> None:
    instance = service.running(novita, webhook_url=HOOK)
    service.ask("stop", instance)
    service.run("stop_instance")
    novita.put("up-1", status="stopping")
    service.monitor(instance)
    age(instance, upstream_changed_at=HOUR, status_changed_at=HOUR)
    service.monitor(instance, times=3)
    assert (instance.status, instance.reason_code) == ("stopping", "STUCK")
    assert events(instance).count("instance.stuck") == 1
    stuck = instance.events.get(type="instance.stuck")
    assert len(told_of(stuck)) == 1
    novita.put("up-1", status="exited")
    service.monitor(instance)
    assert (instance.status, instance.reason_code) == ("stopped", "")


# Moving, and leaving on the way


@pytest.mark.parametrize("verb", ["start", "stop", "restart"])
def test_what_is_deleted_at_novita_on_the_way_is_left_to_the_reconciler(
    service: Service, novita: FakeNovita, verb: str
) -> None:
    instance = under_way(service, novita, verb)
    novita.instances.clear()
    service.monitor(instance, times=2)
    assert (instance.status, instance.upstream_gone_at) == (
        *("stopping" if verb == "stop" else "starting", None),
    )
    assert instance.reason_code == "NOT_SEEN_AT_NOVITA"
    reconcile_for(timedelta(minutes=10))
    instance.refresh_from_db()
    assert (instance.status, instance.reason_code) == ("terminated", "DELETED_AT_NOVITA")
    assert (instance.upstream_gone_at is not None, instance.billing_since) == (True, None)
