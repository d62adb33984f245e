"""Addresses and access of what runs, over several passes of lists of every kind."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from instances.lifecycle import credentials
from instances.models import Instance, InstanceCredentials
from jobs.models import Job
from tests.instances.handlers.conftest import Service, age
from tests.instances.reconciliation.conftest import reconcile, run_one
from tests.support.fakes import FakeNovita
from upstream.access import Access
from upstream.errors import InvalidRequest
from upstream.facts import Fact
from upstream.types import PortMapping, UpstreamInstance

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)
ACCESS = Access(
    ssh_command="ssh -p 7 root@h",
    ssh_password="first",
    jupyter_url="https://j",
    web_terminal_url="https://t",
    web_terminal_username="root",
    web_terminal_password="first",
)
PORTS = (PortMapping(80, "a", "http"), PortMapping(22, "h:7", "tcp"))
SHOWN_PORTS = [
    {"port": 80, "endpoint": "https://a", "type": "http"},
    {"port": 22, "endpoint": "h:7", "type": "tcp"},
]
CONNECTION = {"ssh": "ssh://root@h:7", "jupyter": "https://j", "webTerminal": "https://t"}


@pytest.fixture
def whole(service: Service, novita: FakeNovita) -> Instance:
    """A running instance with every way in that Novita has."""
    instance = service.placed()
    publish(novita)
    service.monitor(instance, times=2)
    assert shown(instance) == (SHOWN_PORTS, CONNECTION, "first")
    age(instance, status_changed_at=HOUR, upstream_changed_at=HOUR)
    novita.calls.clear()
    return instance


def publish(
    novita: FakeNovita, *, access: Access = ACCESS, ports: tuple[PortMapping, ...] = PORTS
) -> UpstreamInstance:
    return novita.put(
        "up-1",
        status="running",
        port_mappings=ports,
        access=access,
        ssh_command=access.ssh_command,
        jupyter_url=access.jupyter_url,
        web_terminal_url=access.web_terminal_url,
    )


def shown(instance: Instance) -> tuple[object, object, str | None]:
    instance.refresh_from_db()
    opened = credentials.read(instance)
    return instance.port_mappings, instance.connection, opened and opened.access.ssh_password


def is_monitored(instance: Instance) -> bool:
    return Job.objects.live().filter(type="monitor_instance", subject=instance.public_id).exists()


@pytest.mark.parametrize("has_endpoints", [False, True], ids=["thin lists", "full lists"])
def test_addresses_and_access_stay_whole_over_many_passes(
    service: Service, novita: FakeNovita, whole: Instance, has_endpoints: bool
) -> None:
    novita.lists_endpoints = has_endpoints
    for _ in range(5):
        reconcile()
        service.run("monitor_instance")
        assert shown(whole) == (SHOWN_PORTS, CONNECTION, "first")
    assert novita.calls == ["list_instances"] * 5


def test_lists_without_ports_take_none_away(novita: FakeNovita, whole: Instance) -> None:
    facts = frozenset({Fact.STATUS, Fact.PORTS})
    novita.shows = lambda item: replace(item, port_mappings=(), facts=facts)
    for _ in range(3):
        reconcile()
    assert shown(whole) == (SHOWN_PORTS, CONNECTION, "first")


def test_another_address_in_a_list_is_read_by_id_and_then_told(
    service: Service, novita: FakeNovita, whole: Instance
) -> None:
    novita.lists_endpoints = True
    moved = replace(ACCESS, ssh_command="ssh -p 9 root@n", ssh_password="second")
    publish(novita, access=moved, ports=(PortMapping(80, "b", "http"), PORTS[1]))
    reconcile()
    assert shown(whole) == (SHOWN_PORTS, CONNECTION, "first")
    service.run("monitor_instance")
    ports, connection, password = shown(whole)
    assert (ports[0]["endpoint"], connection["ssh"], password) == (  # type: ignore[index]
        *("https://b", "ssh://root@n:9"),
        "second",
    )


def test_a_list_that_always_differs_costs_one_get_by_id(
    service: Service, novita: FakeNovita, whole: Instance
) -> None:
    other = (PortMapping(80, "inner", "http"),)
    novita.shows = lambda item: replace(item, port_mappings=other)
    for _ in range(5):
        reconcile()
        service.run("monitor_instance")
    assert novita.calls.count("get_instance") == 1
    assert shown(whole) == (SHOWN_PORTS, CONNECTION, "first")


def test_addresses_that_changed_behind_thin_lists_are_read_within_the_hour(
    service: Service, novita: FakeNovita, whole: Instance
) -> None:
    publish(novita, access=replace(ACCESS, ssh_command="ssh root@n", ssh_password="second"))
    age(whole, details_seen_at=HOUR)
    reconcile()
    assert shown(whole) == (SHOWN_PORTS, CONNECTION, "first")
    service.run("monitor_instance")
    _, connection, password = shown(whole)
    assert (connection["ssh"], password) == ("ssh://root@n:22", "second")  # type: ignore[index]
    assert not is_monitored(whole)


def test_rows_that_lost_their_addresses_under_an_older_release_get_them_back(
    service: Service, novita: FakeNovita, whole: Instance
) -> None:
    Instance.objects.update(connection={}, port_mappings=[], details_seen_at=None)
    reconcile()
    service.run("monitor_instance")
    assert shown(whole) == (SHOWN_PORTS, CONNECTION, "first")


def test_addresses_published_late_are_waited_for_with_lists_that_never_show_them(
    service: Service, novita: FakeNovita
) -> None:
    instance = service.placed()
    publish(novita, ports=(PortMapping(80, "", "http"), PORTS[1]))
    service.monitor(instance)
    assert (instance.status, instance.port_mappings[0]["endpoint"]) == ("running", "")
    assert is_monitored(instance)
    publish(novita)
    service.monitor(instance)
    assert shown(instance) == (SHOWN_PORTS, CONNECTION, "first")
    assert not is_monitored(instance)


def test_a_thin_get_by_id_takes_nothing_away(
    service: Service, novita: FakeNovita, whole: Instance
) -> None:
    novita.put(
        "up-1",
        port_mappings=(),
        access=Access(ssh_command=ACCESS.ssh_command),
        jupyter_url="",
        web_terminal_url="",
        facts=frozenset({Fact.STATUS, Fact.SSH}),
    )
    age(whole, details_seen_at=HOUR)
    reconcile()
    service.run("monitor_instance")
    assert novita.calls.count("get_instance") == 1
    assert shown(whole) == (SHOWN_PORTS, CONNECTION, "first")
    opened = credentials.read(whole)
    assert opened is not None
    assert opened.access == ACCESS


def test_what_a_get_by_id_says_to_be_empty_is_not_shown_any_longer(
    service: Service, novita: FakeNovita, whole: Instance
) -> None:
    publish(novita, access=Access(), ports=())
    age(whole, details_seen_at=HOUR)
    reconcile()
    service.run("monitor_instance")
    assert shown(whole) == ([], {}, None)
    assert is_monitored(whole)
    publish(novita)
    service.run("monitor_instance")
    assert shown(whole) == (SHOWN_PORTS, CONNECTION, "first")


@pytest.mark.parametrize("word", ["exited", "freezing", "migrating", "toRestart", "starting"])
def test_what_no_longer_runs_shows_no_address_and_no_access(
    novita: FakeNovita, whole: Instance, word: str
) -> None:
    novita.put("up-1", status=word)
    reconcile()
    assert shown(whole) == ([{**each, "endpoint": ""} for each in SHOWN_PORTS], {}, None)
    assert (whole.has_details, InstanceCredentials.objects.exists()) == (False, False)


@pytest.mark.parametrize("verb", ["stop", "restart"])
def test_after_a_stop_or_restart_only_new_addresses_are_shown(
    service: Service, novita: FakeNovita, whole: Instance, verb: str
) -> None:
    service.ask(verb, whole)
    service.run(f"{verb}_instance")
    words = ("toStop", "exited") if verb == "stop" else ("restarting",)
    for word in words:
        novita.put("up-1", status=word)
        service.monitor(whole)
    assert shown(whole)[1:] == ({}, None)
    if verb == "stop":
        service.ask("start", whole)
        service.run("start_instance")
    publish(novita, access=replace(ACCESS, ssh_command="ssh root@n", ssh_password="second"))
    service.monitor(whole, times=2)
    assert (whole.status, shown(whole)[2]) == ("running", "second")
    assert whole.connection["ssh"] == "ssh://root@n:22"


def test_the_running_from_before_a_restart_brings_no_access(
    service: Service, novita: FakeNovita, whole: Instance
) -> None:
    service.ask("restart", whole)
    service.run("restart_instance")
    novita.put("up-1", status="running")
    service.monitor(whole)
    assert (whole.status, *shown(whole)[1:]) == ("starting", {}, None)


def test_a_restart_given_up_leaves_it_with_its_addresses_and_access(
    service: Service, novita: FakeNovita, whole: Instance
) -> None:
    service.ask("restart", whole)
    age(whole, start_deadline_at=HOUR)
    novita.put("up-1", status="running")
    novita.fail("restart_instance", InvalidRequest("400 no", status=400), times=9)
    service.run("restart_instance", times=2)
    assert shown(whole) == (SHOWN_PORTS, CONNECTION, "first")


def test_many_come_through_passes_with_their_addresses(
    service: Service, novita: FakeNovita
) -> None:
    made = [run_one(service, novita, name=f"n{number}") for number in range(3)]
    for _ in range(3):
        reconcile()
        service.run("monitor_instance")
    for each in made:
        each.refresh_from_db()
    assert [each.connection for each in made] == [{"ssh": "ssh://root@h:22"}] * 3
