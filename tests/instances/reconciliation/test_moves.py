"""Novita moves an instance to another cluster: where it is, how to reach it, what is told."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from instances.models import Instance
from tests.instances.conftest import Configure
from tests.instances.handlers.conftest import HOOK, Service, events
from tests.instances.reconciliation.conftest import reconcile
from tests.instances.reconciliation.test_addresses import shown
from tests.support.fakes import FakeNovita
from tests.support.messages import told_of
from upstream.access import Access
from upstream.facts import ALL_FACTS, CONNECT_FACTS, Fact
from upstream.types import PortMapping

pytestmark = pytest.mark.django_db

HERE = {"cluster_id": "us-ca-6", "cluster_name": "US-CA-06 (California)"}
HONG_KONG = {"cluster_id": "cn-hongkong-1", "cluster_name": "CN-HK-01 (Hong Kong)"}
NOWHERE = {"cluster_id": "eu-new-9", "cluster_name": "EU-NEW-09 (Nowhere)"}


@pytest.fixture
def placed(service: Service, novita: FakeNovita) -> Instance:
    instance = service.running(novita, webhook_url=HOOK)
    assert (instance.cluster_id, instance.region) == ("us-ca-6", "US-WEST-01")
    at(novita, HERE, "h", "first")
    Instance.objects.update(details_seen_at=None)
    reconcile_and_read(service)
    assert shown(instance)[2] == "first"
    return instance


def at(novita: FakeNovita, place: dict[str, str], host: str, password: str, **more: Any) -> None:
    command = f"ssh -p 7 root@{host}"
    access = Access(ssh_command=command, ssh_password=password)
    ports = (PortMapping(80, f"https://{host}", "http"),)
    novita.put("up-1", access=access, ssh_command=command, port_mappings=ports, **place, **more)


def reconcile_and_read(service: Service, *, times: int = 3) -> None:
    for _ in range(times):
        reconcile()
        service.run("monitor_instance", times=2)


def place_of(instance: Instance) -> tuple[str, str]:
    instance.refresh_from_db()
    return instance.region, instance.cluster_id


@pytest.mark.parametrize("has_endpoints", [False, True], ids=["thin lists", "full lists"])
def test_what_runs_on_elsewhere_shows_its_new_place_addresses_and_price(
    service: Service, novita: FakeNovita, placed: Instance, has_endpoints: bool
) -> None:
    novita.lists_endpoints = has_endpoints
    at(novita, HONG_KONG, "n", "second", price_e5_usd=12_345)
    reconcile_and_read(service)
    assert place_of(placed) == ("CN-HK-01", "cn-hongkong-1")
    ports, connection, password = shown(placed)
    assert (connection, password) == ({"ssh": "ssh://root@n:7"}, "second")
    assert ports == [{"port": 80, "endpoint": "https://n", "type": "http"}]
    assert (placed.status, placed.price_e5_usd) == ("running", 12_345)
    moved = placed.events.get(type="instance.moved")
    assert moved.data == {
        "from": {"region": "US-WEST-01", "cluster": "us-ca-6"},
        "to": {"region": "CN-HK-01", "cluster": "cn-hongkong-1"},
    }
    assert told_of(moved)[0]["data"]["region"] == "CN-HK-01"


def test_a_move_that_shows_as_migrating_ends_in_its_new_place(
    service: Service, novita: FakeNovita, placed: Instance
) -> None:
    at(novita, HONG_KONG, "n", "second", status="migrating")
    reconcile()
    assert shown(placed)[1:] == ({}, None)
    novita.put("up-1", status="running")
    service.run("monitor_instance", times=2)
    assert place_of(placed) == ("CN-HK-01", "cn-hongkong-1")
    assert shown(placed)[1:] == ({"ssh": "ssh://root@n:7"}, "second")
    assert [each for each in events(placed) if each.startswith("instance.m")] == [
        "instance.migrating",
        "instance.moved",
    ]


def test_addresses_of_the_old_place_go_though_those_of_the_new_are_not_said(
    service: Service, novita: FakeNovita, placed: Instance
) -> None:
    bare = (PortMapping(80, None, "http"),)
    novita.put("up-1", port_mappings=bare, facts=ALL_FACTS - CONNECT_FACTS, **HONG_KONG)
    reconcile_and_read(service)
    assert shown(placed) == ([{"port": 80, "endpoint": "", "type": "http"}], {}, None)


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        (NOWHERE, ("EU-NEW-09 (Nowhere)", "eu-new-9")),
        ({**NOWHERE, "cluster_name": ""}, ("eu-new-9", "eu-new-9")),
        ({**HONG_KONG, "cluster_id": ""}, ("CN-HK-01", "cn-hongkong-1")),
        ({**HONG_KONG, "cluster_name": ""}, ("CN-HK-01", "cn-hongkong-1")),
    ],
)
def test_a_place_is_named_by_its_code_if_there_is_one(
    service: Service,
    novita: FakeNovita,
    placed: Instance,
    place: dict[str, str],
    expected: tuple[str, str],
) -> None:
    at(novita, place, "n", "second")
    reconcile_and_read(service)
    assert place_of(placed) == expected
    assert events(placed).count("instance.moved") == 1


@pytest.mark.parametrize(
    "place",
    [
        {"cluster_id": "", "cluster_name": ""},
        {"cluster_id": "US-CA-6", "cluster_name": ""},
        {"cluster_id": "us-ca-6", "cluster_name": "US-CA-06"},
        {"cluster_id": "", "cluster_name": "US-CA-06 (California)"},
        {"cluster_id": "", "cluster_name": "US-CA-06"},
        {**HONG_KONG, "facts": ALL_FACTS - {Fact.CLUSTER}},
    ],
)
def test_the_same_place_in_other_words_or_none_is_no_move(
    service: Service, novita: FakeNovita, placed: Instance, place: dict[str, str]
) -> None:
    novita.put("up-1", **place)
    reconcile_and_read(service)
    assert place_of(placed) == ("US-WEST-01", "us-ca-6")
    assert "instance.moved" not in events(placed)


def test_a_list_that_shows_another_place_than_a_get_by_id_moves_nothing(
    service: Service, novita: FakeNovita, placed: Instance
) -> None:
    lie_about(novita, [HONG_KONG])
    novita.calls.clear()
    reconcile_and_read(service, times=4)
    assert place_of(placed) == ("US-WEST-01", "us-ca-6")
    assert shown(placed)[2] == "first"
    assert novita.calls.count("get_instance") == 1


def test_what_is_stopped_has_moved_when_two_lists_say_so(
    service: Service, novita: FakeNovita, placed: Instance
) -> None:
    novita.put("up-1", status="exited")
    reconcile_and_read(service)
    novita.put("up-1", **HONG_KONG)
    reconcile()
    assert place_of(placed) == ("US-WEST-01", "us-ca-6")
    reconcile()
    assert place_of(placed) == ("CN-HK-01", "cn-hongkong-1")
    assert events(placed).count("instance.moved") == 1


def test_lists_that_contradict_each_other_move_nothing_that_is_stopped(
    service: Service, novita: FakeNovita, placed: Instance
) -> None:
    novita.put("up-1", status="exited")
    reconcile_and_read(service)
    lie_about(novita, [HONG_KONG, HERE])
    for _ in range(6):
        reconcile()
    assert "instance.moved" not in events(placed)


def test_regions_that_are_not_configured_any_more_stay_as_they_were_asked_for(
    service: Service, novita: FakeNovita, placed: Instance, configure: Configure
) -> None:
    configure(regions={})
    reconcile_and_read(service)
    assert place_of(placed) == ("US-WEST-01", "us-ca-6")


def lie_about(novita: FakeNovita, places: list[dict[str, str]]) -> None:
    """Lists show it in these places, in turn."""
    turns = iter(places * 20)
    novita.shows = lambda item: replace(item, **next(turns))
