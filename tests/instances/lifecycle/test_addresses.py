"""What an observation brings of addresses is added or replaced; what it does not say stays."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from instances.lifecycle import addresses
from instances.models import Instance
from upstream.parsers.items import read_instance
from upstream.types import UpstreamInstance

NOW = datetime(2026, 11, 30, tzinfo=UTC)
PORTS = [
    {"port": 80, "endpoint": "https://a", "type": "http"},
    {"port": 22, "endpoint": "h:1", "type": "tcp"},
]
CONNECTION = {"ssh": "ssh://root@h:1", "jupyter": "https://j", "webTerminal": "https://t"}
BLOCKS = {
    "connectComponentSSH": {"sshCommand": "ssh -p 1 root@h", "password": "p"},
    "connectComponentJupyter": {"address": "https://j"},
    "connectComponentWebTerminal": {"address": "https://t", "password": "p"},
}


def known(**fields: Any) -> Instance:
    made = {"port_mappings": PORTS, "connection": CONNECTION, "has_details": True}
    return Instance(**{**made, "details_seen_at": NOW, **fields})


def answer(**data: Any) -> UpstreamInstance:
    seen = read_instance({"id": "up-1", "status": "running", **data})
    assert seen is not None
    return seen


def port(number: int, kind: str | None = "http", **more: Any) -> dict[str, Any]:
    return {"port": number, **({"type": kind} if kind else {}), **more}


@pytest.mark.parametrize("is_by_id", [False, True], ids=["list", "by id"])
@pytest.mark.parametrize(
    "data",
    [
        {},
        {"portMappings": None},
        {"portMappings": {}},
        {"portMappings": [port(80), port(22, "tcp")]},
        {"portMappings": [port(80, endpoint=None), port(22, "tcp")]},
        {"portMappings": [port(80, None), port(22, None)]},
        {"portMappings": [port(80, endpoint="https://a"), port(22, "tcp")]},
        {"portMappings": [port(80, endpoint="a"), port(22, "tcp", endpoint="h:1")]},
        {"connectComponentSSH": None, "connectComponentJupyter": "", "sshCommand": None},
        {"connectComponentSSH": {"sshCommand": "ssh -p 1 root@h"}},
        BLOCKS,
    ],
    ids=str,
)
def test_a_thin_answer_takes_no_address_away(data: dict[str, Any], is_by_id: bool) -> None:
    instance = known()
    addresses.merge(instance, answer(**data), is_by_id=is_by_id, now=NOW)
    assert instance.port_mappings == PORTS
    assert instance.connection == CONNECTION


@pytest.mark.parametrize(
    "data",
    [
        {"portMappings": []},
        {"portMappings": [port(80)]},
        {"portMappings": [port(80, endpoint=""), port(22, "tcp", endpoint="")]},
        {"portMappings": [port(80, endpoint="https://other")]},
        {"connectComponentSSH": {"sshCommand": "", "isRunning": False}},
        {"connectComponentSSH": {}, "connectComponentJupyter": {}},
        {"connectComponentSSH": {"sshCommand": "ssh -p 9 root@other"}},
    ],
    ids=str,
)
def test_a_list_replaces_no_address_and_removes_no_port(data: dict[str, Any]) -> None:
    instance = known()
    addresses.merge(instance, answer(**data), is_by_id=False, now=NOW)
    assert instance.port_mappings == PORTS
    assert instance.connection == CONNECTION
    assert (instance.seen_access, instance.details_seen_at) == (None, NOW)


def test_a_list_adds_what_is_not_known_yet() -> None:
    instance = known(port_mappings=[{**PORTS[0], "endpoint": ""}], connection={})
    data = {"portMappings": [port(80, endpoint="a"), port(22, "tcp", endpoint="h:1")]}
    addresses.merge(instance, answer(**data), is_by_id=False, now=NOW)
    assert instance.port_mappings == PORTS
    assert instance.connection == {"ssh": "ssh://h:1"}


@pytest.mark.parametrize(
    ("data", "ports", "connection"),
    [
        ({"portMappings": []}, [], CONNECTION),
        ({"portMappings": [port(80)]}, PORTS[:1], CONNECTION),
        (
            {"portMappings": [port(80, endpoint=""), port(22, "tcp")]},
            [{**PORTS[0], "endpoint": ""}, PORTS[1]],
            CONNECTION,
        ),
        (
            {"portMappings": [port(80, endpoint="b"), port(9, "tcp", endpoint="h:2")]},
            [
                {"port": 80, "endpoint": "https://b", "type": "http"},
                {"port": 9, "endpoint": "h:2", "type": "tcp"},
            ],
            CONNECTION,
        ),
        (
            {"connectComponentSSH": {"sshCommand": "ssh -p 9 root@n"}},
            PORTS,
            {**CONNECTION, "ssh": "ssh://root@n:9"},
        ),
        # Without the block, the port still leads there.
        ({"connectComponentSSH": {}}, PORTS, {**CONNECTION, "ssh": "ssh://h:1"}),
        (
            {"connectComponentWebTerminal": {"address": "", "isRunning": False}},
            PORTS,
            {"ssh": CONNECTION["ssh"], "jupyter": CONNECTION["jupyter"]},
        ),
    ],
    ids=str,
)
def test_a_get_by_id_replaces_the_fields_that_it_contains(
    data: dict[str, Any], ports: list[dict[str, Any]], connection: dict[str, str]
) -> None:
    instance = known()
    addresses.merge(instance, answer(**data), is_by_id=True, now=NOW)
    assert instance.port_mappings == ports
    assert instance.connection == connection


def test_an_address_that_a_port_told_goes_where_the_port_goes() -> None:
    instance = known(connection={"ssh": "ssh://h:1"})
    data = {"portMappings": [port(22, "tcp", endpoint="other:2")]}
    addresses.merge(instance, answer(**data), is_by_id=True, now=NOW)
    assert instance.connection == {"ssh": "ssh://other:2"}


@pytest.mark.parametrize(
    ("data", "is_doubted"),
    [
        ({}, False),
        ({"portMappings": [port(80)]}, False),
        ({"portMappings": [port(80, endpoint="")]}, False),
        ({"portMappings": [port(80, endpoint="a")]}, False),
        ({"portMappings": [port(80, None, endpoint="https://a")]}, False),
        ({"portMappings": [port(80, endpoint="b")]}, True),
        ({"portMappings": [port(22, "tcp", endpoint="h:2")]}, True),
        ({"portMappings": [port(8080, endpoint="new")]}, True),
    ],
    ids=str,
)
def test_a_list_that_shows_another_address_causes_one_get_by_id(
    data: dict[str, Any], is_doubted: bool
) -> None:
    instance = known()
    assert addresses.doubt(instance, answer(**data), place="") is is_doubted
    assert not addresses.doubt(instance, answer(**data), place="")


def test_each_other_address_of_a_list_causes_another_get_by_id() -> None:
    instance = known()
    for endpoint in ("b", "c", "b"):
        seen = answer(portMappings=[port(80, endpoint=endpoint)])
        assert addresses.doubt(instance, seen, place="")


def test_another_place_and_another_address_cause_one_get_by_id_together() -> None:
    instance, seen = known(), answer(portMappings=[port(80, endpoint="b")])
    assert addresses.doubt(instance, seen, place="elsewhere")
    assert not addresses.doubt(instance, seen, place="elsewhere")


@pytest.mark.parametrize(
    ("seen_ago", "missing_ago", "is_due"),
    [
        (None, None, True),
        (timedelta(minutes=59), None, False),
        (timedelta(minutes=60), None, True),
        (timedelta(seconds=9), timedelta(seconds=9), False),
        (timedelta(seconds=10), timedelta(seconds=10), True),
        (timedelta(minutes=9), timedelta(minutes=19), False),
        (timedelta(minutes=10), timedelta(minutes=20), True),
        (timedelta(minutes=60), timedelta(days=9), True),
        (timedelta(minutes=59), timedelta(days=9), False),
    ],
)
def test_addresses_are_read_again_at_times_and_soon_while_some_are_missing(
    seen_ago: timedelta | None, missing_ago: timedelta | None, is_due: bool
) -> None:
    instance = known(
        details_seen_at=seen_ago and NOW - seen_ago,
        details_missing_since=missing_ago and NOW - missing_ago,
    )
    assert addresses.are_due(instance, NOW) is is_due


def test_a_get_by_id_notes_since_when_addresses_are_missing() -> None:
    instance = known(has_details=False, details_seen_at=None)
    bare = answer(portMappings=[port(80, endpoint="")], **BLOCKS)
    addresses.merge(instance, bare, is_by_id=True, now=NOW)
    assert (instance.details_missing_since, addresses.is_monitoring_needed(instance)) == (NOW, True)
    later = NOW + addresses.PATIENCE
    addresses.merge(instance, bare, is_by_id=True, now=later)
    assert (instance.details_missing_since, addresses.is_monitoring_needed(instance)) == (
        NOW,
        False,
    )
    whole = answer(portMappings=[port(80, endpoint="a")], **BLOCKS)
    addresses.merge(instance, replace(whole), is_by_id=True, now=later)
    assert instance.details_missing_since is None
