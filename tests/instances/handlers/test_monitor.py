"""monitor_instance: what is seen at Novita becomes a status, an event and a webhook."""

from __future__ import annotations

from datetime import timedelta

import pytest

from instances.models import Instance, UpstreamGate
from jobs.models import Job
from tests.instances.conftest import Configure
from tests.instances.handlers.conftest import HOOK, Service, events
from tests.instances.handlers.monitoring import job, many, monitor, wait_of
from tests.support.engine import database_time
from tests.support.fakes import DOWN, FakeNovita
from upstream.types import PortMapping

pytestmark = pytest.mark.django_db

LONG = timedelta(hours=1)


@pytest.fixture
def instance(service: Service, novita: FakeNovita) -> Instance:
    placed = service.placed(webhook_url=HOOK)
    novita.calls.clear()
    return placed


# Looking


def test_what_is_on_its_way_is_observed_again_on_the_common_grid(
    service: Service, novita: FakeNovita, instance: Instance
) -> None:
    novita.put("up-1", status="pulling")
    monitor(service, instance)
    assert (instance.status, instance.upstream_status) == ("starting", "pulling")
    assert instance.started_at is not None
    assert job(instance).status == "pending"
    assert (
        job(instance).run_at.timestamp() % 10 < 0.1 or job(instance).run_at.timestamp() % 10 > 9.9
    )


def test_charging_begins_once(service: Service, novita: FakeNovita, instance: Instance) -> None:
    novita.put("up-1", status="pulling")
    began = monitor(service, instance).started_at
    assert monitor(service, instance).started_at == began


def test_two_hundred_pending_instances_cost_two_list_pages(
    service: Service, novita: FakeNovita
) -> None:
    made = many(service, novita, 200)
    service.run("monitor_instance")
    assert novita.calls == ["list_instances"] * 2
    assert Instance.objects.filter(upstream_status="pulling").count() == len(made) - 1


def test_pending_instances_are_found_behind_pages_of_running_ones(
    service: Service, novita: FakeNovita
) -> None:
    """The upstream lists all of ours; which come first, nobody knows."""
    made = many(service, novita, 450)
    ids = [row.pk for row in made[:-30]]
    Instance.objects.filter(pk__in=ids).update(status="running", has_details=True)
    novita.calls.clear()
    service.run("monitor_instance")
    pending = Instance.objects.filter(status="starting")
    assert {row.upstream_status for row in pending} == {"pulling"}
    assert len(novita.calls) <= 6


def test_few_among_many_are_read_one_by_one(service: Service, novita: FakeNovita) -> None:
    made = many(service, novita, 450)
    ids = [row.pk for row in made[:-4]]
    Instance.objects.filter(pk__in=ids).update(status="running", has_details=True)
    novita.calls.clear()
    service.run("monitor_instance")
    assert novita.calls == ["get_instance"] * 4


def test_what_the_list_does_not_show_is_read_by_itself(
    service: Service, novita: FakeNovita
) -> None:
    made = many(service, novita, 10)
    novita.unlisted = {"up-3"}
    service.run("monitor_instance")
    assert novita.calls == ["list_instances", "get_instance"]
    third = Instance.objects.get(upstream_id="up-3")
    assert (third.upstream_status, len(made)) == ("pulling", 10)


def test_missing_from_a_list_is_unknown(service: Service, novita: FakeNovita) -> None:
    many(service, novita, 30)
    novita.unlisted = {f"up-{number}" for number in range(1, 31)}
    service.run("monitor_instance", times=3)
    assert Instance.objects.filter(status="starting").count() == 30
    assert not Instance.objects.exclude(absence_seen_at=None).exists()


def test_a_list_that_fails_proves_nothing(service: Service, novita: FakeNovita) -> None:
    many(service, novita, 5)
    novita.fail("list_instances", DOWN, times=2)
    service.run("monitor_instance", times=2)
    assert Instance.objects.filter(status="starting", upstream_status="").count() == 5


def test_under_another_account_nothing_is_concluded(
    service: Service, novita: FakeNovita, instance: Instance, configure: Configure
) -> None:
    configure(novita_api_base_url="https://elsewhere.example.com")
    novita.instances.clear()
    monitor(service, instance, times=3)
    assert (instance.status, novita.calls) == ("starting", [])


def test_short_pages_are_learnt_and_then_all_are_seen(service: Service, novita: FakeNovita) -> None:
    many(service, novita, 60)
    page = novita.page
    novita.page = lambda number, size, name: page(number, 10, name)
    service.run("monitor_instance", times=2)
    assert not Instance.objects.filter(upstream_status="").exists()
    novita.calls.clear()
    service.run("monitor_instance")
    assert novita.calls == ["list_instances"] * 6


def test_a_name_filter_that_finds_nothing_is_done_without(
    service: Service, novita: FakeNovita
) -> None:
    many(service, novita, 30)
    page = novita.page
    novita.page = lambda number, size, name: page(number, size, name and f"exactly {name}")
    service.run("monitor_instance", times=2)
    assert not Instance.objects.filter(upstream_status="").exists()
    novita.calls.clear()
    service.run("monitor_instance")
    assert novita.calls == ["list_instances"]


# Arriving


def test_a_running_instance_is_told_with_its_addresses(
    service: Service, novita: FakeNovita, instance: Instance
) -> None:
    novita.put(
        "up-1",
        status="running",
        port_mappings=(PortMapping(8888, "a.example.com", "http"), PortMapping(22, "h:1", "tcp")),
        ssh_command="ssh -p 2222 root@h.example.com",
        jupyter_url="https://j.example.com/lab?token=s3cret",
    )
    monitor(service, instance)
    assert instance.status == "running"
    assert instance.ready_at is not None
    assert instance.connection == {
        "ssh": "ssh://root@h.example.com:2222",
        "jupyter": "https://j.example.com/lab",
    }
    assert instance.port_mappings[0]["endpoint"] == "https://a.example.com"
    assert job(instance).status == "completed"
    assert events(instance)[-1] == "instance.running"
    assert Job.objects.filter(type="deliver_webhooks").exists()


def test_of_many_each_that_has_come_to_run_is_read_once(
    service: Service, novita: FakeNovita
) -> None:
    made = many(service, novita, 5)
    for number in range(1, 6):
        novita.put(f"up-{number}", status="running", ssh_command="ssh root@h")
    service.run("monitor_instance")
    assert novita.calls == ["list_instances"]
    assert Instance.objects.filter(status="running").count() == 0
    assert all(wait_of(row) <= timedelta(0) for row in made)
    service.run("monitor_instance")
    assert novita.calls[1:] == ["get_instance"] * 5
    assert Instance.objects.filter(status="running", has_details=True).count() == 5
    service.run("monitor_instance")
    assert len(novita.calls) == 6


def test_without_a_budget_it_is_told_all_the_same_and_read_later(
    service: Service, novita: FakeNovita
) -> None:
    many(service, novita, 3)
    for number in range(1, 4):
        novita.put(f"up-{number}", status="running", ssh_command="ssh root@h")
    service.run("monitor_instance")
    UpstreamGate.objects.update(paused_until=database_time(LONG))
    service.run("monitor_instance")
    assert Instance.objects.filter(status="running", has_details=False).count() == 3
    assert Job.objects.filter(type="monitor_instance", status="pending").count() == 3
    UpstreamGate.objects.update(paused_until=None)
    service.run("monitor_instance")
    assert Instance.objects.filter(has_details=True, connection__ssh="ssh://root@h:22").count() == 3
    assert all(events(row).count("instance.running") == 1 for row in Instance.objects.all())
