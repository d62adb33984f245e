"""Addresses and access over many passes of monitoring and reconciler, through real processes."""

from typing import Any

import pytest

from devtools.faults.real.stack import Stack, wait_until
from tests.flows.conftest import StackFactory

PASSES = 5


@pytest.fixture
def busy(start_stack: StackFactory) -> Stack:
    """Compares everything with Novita's list several times a second."""
    return start_stack(RECONCILE_INTERVAL="0.3")


def addresses(details: dict[str, Any]) -> dict[str, Any]:
    return {name: details.get(name) for name in ("connectionDetails", "portMappings")}


def access(stack: Stack, instance_id: str) -> dict[str, Any]:
    answer = stack.call("GET", f"/api/instances/{instance_id}/credentials")
    return {"status": answer.status_code, **answer.json(), "updatedAt": None}


def after_passes(stack: Stack) -> None:
    """Until the reconciler has observed everything some times more."""

    def count() -> int:
        with stack.connect() as database:
            row = database.execute("SELECT max(id) FROM instances_reconcilerun").fetchone()
        return (row and row[0]) or 0

    before = count()
    wait_until(lambda: count() >= before + PASSES, seconds=60, what="for some passes")


def test_a_running_instance_keeps_its_addresses_over_many_passes(busy: Stack) -> None:
    """With lists in both forms, and through a stop and a start in between."""
    instance_id = busy.create(productName="RTX 4090 24GB", templateId="212")
    known = addresses(busy.wait_for(instance_id, "running", "failed"))
    assert set(known["connectionDetails"]) == {"ssh", "webTerminal", "jupyter"}
    assert all(each["endpoint"] for each in known["portMappings"])
    opened = access(busy, instance_id)
    assert opened["ssh"]["password"]
    assert opened["webTerminal"]["password"]
    for has_endpoints in (False, True):
        busy.simulator.control.settings(list_endpoints=has_endpoints)
        after_passes(busy)
        assert addresses(busy.get(instance_id)) == known
        assert access(busy, instance_id) == opened
    busy.call("POST", f"/api/instances/{instance_id}/stop")
    stopped = addresses(busy.wait_for(instance_id, "stopped"))
    assert stopped["connectionDetails"] is None
    assert access(busy, instance_id)["status"] == 409
    assert not any(each["endpoint"] for each in stopped["portMappings"])
    busy.simulator.control.settings(list_endpoints=False)
    busy.call("POST", f"/api/instances/{instance_id}/start")
    busy.wait_for(instance_id, "running")
    after_passes(busy)
    again = addresses(busy.get(instance_id))
    assert set(again["connectionDetails"]) == set(known["connectionDetails"])
    assert all(each["endpoint"] for each in again["portMappings"])
