"""What Novita does to an instance by itself, through real processes."""

import pytest

from devtools.faults.real.stack import Stack, wait_until
from tests.flows.conftest import StackFactory


@pytest.fixture
def busy(start_stack: StackFactory) -> Stack:
    """Compares everything with Novita's list several times a second."""
    return start_stack(RECONCILE_INTERVAL="0.3")


@pytest.mark.long
def test_trouble_that_heals_and_a_move_and_one_that_fails(busy: Stack) -> None:
    control = busy.simulator.control
    control.settings(start_seconds=8)
    instance_id = busy.create()
    busy.wait_for(instance_id, "starting")
    (truth,) = busy.truths(instance_id)
    control.order(truth.id, "trouble", state="ImagePullBackOff", message="Back-off", for_seconds=3)
    message = busy.wait_for_message(instance_id, "instance.trouble")
    assert message["data"]["statusReason"]["code"] == "STARTUP_TROUBLE"
    before = busy.wait_for(instance_id, "running", "failed")
    assert before["status"] == "running"
    busy.wait_for_message(instance_id, "instance.trouble_over")

    control.settings(migrate_seconds=3)
    control.order(truth.id, "move")
    busy.wait_for_message(instance_id, "instance.moved", seconds=60)
    after = busy.wait_for(instance_id, "running")
    (now,) = busy.truths(instance_id)
    assert now.cluster_id != truth.cluster_id
    assert after["region"] != before["region"]
    wait_until(
        lambda: "ssh" in busy.get(instance_id).get("connectionDetails", {}),
        seconds=30,
        what="for the new address",
    )
    assert busy.get(instance_id)["connectionDetails"] != before["connectionDetails"]

    control.settings(migration_failure="no resource on target node")
    control.order(truth.id, "move")
    # Jobs of a move are read every 30 s, and a pass of the reconciler may take such a turn away.
    stopped = busy.wait_for(instance_id, "stopped", seconds=240)
    assert stopped["statusReason"]["code"] == "MIGRATION_FAILED"
    assert "no resource on target node" in stopped["statusReason"]["message"]
    (left,) = busy.truths(instance_id)
    assert left.id == truth.id
