"""What an answer about an instance says at all, and what it leaves out."""

from __future__ import annotations

from typing import Any

import pytest

from upstream.facts import ALL_FACTS, Fact
from upstream.parsers.items import read_instance


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({}, set()),
        ({"status": ""}, set()),
        ({"status": " "}, set()),
        ({"status": None}, set()),
        ({"status": "running"}, {Fact.STATUS}),
        ({"statusError": {"state": "", "message": ""}}, {Fact.STATUS_ERROR}),
        ({"statusError": None}, {Fact.STATUS_ERROR}),
        ({"clusterId": "", "clusterName": ""}, set()),
        ({"clusterId": "us-ca-6"}, {Fact.CLUSTER}),
        ({"clusterName": "US-CA-06 (California)"}, {Fact.CLUSTER}),
        ({"portMappings": None}, set()),
        ({"portMappings": {}}, set()),
        ({"portMappings": []}, {Fact.PORTS}),
        ({"connectComponentSSH": None}, set()),
        ({"connectComponentSSH": ""}, set()),
        ({"connectComponentSSH": {}}, {Fact.SSH}),
        ({"sshCommand": "ssh root@h"}, {Fact.SSH}),
        ({"connectComponentJupyter": {"address": ""}}, {Fact.JUPYTER}),
        ({"connectComponentWebTerminal": {}}, {Fact.WEB_TERMINAL}),
        ({"spotStatus": ""}, {Fact.SPOT_STATUS}),
        ({"spotStatus": None}, set()),
        ({"spotReclaimTime": "0"}, {Fact.SPOT_RECLAIM_TIME}),
        ({"spotReclaimTime": 0}, {Fact.SPOT_RECLAIM_TIME}),
    ],
    ids=str,
)
def test_an_answer_says_only_what_stands_in_it(data: dict[str, Any], expected: set[Fact]) -> None:
    seen = read_instance({"id": "up-1", **data})
    assert seen is not None
    assert seen.facts == expected


def test_a_whole_answer_says_everything() -> None:
    seen = read_instance(
        {
            "id": "up-1",
            "status": "running",
            "statusError": {},
            "clusterId": "us-ca-6",
            "portMappings": [{"port": 80, "type": "http"}],
            "connectComponentSSH": {},
            "connectComponentJupyter": {},
            "connectComponentWebTerminal": {},
            "spotStatus": "",
            "spotReclaimTime": "0",
        }
    )
    assert seen is not None
    assert seen.facts == ALL_FACTS
    assert seen.port_mappings[0].endpoint is None
