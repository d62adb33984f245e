"""Stop, start, restart, end; and what Novita does by itself: through real processes."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from devtools.faults.real.stack import Stack, wait_until


def verb(stack: Stack, instance_id: str, name: str) -> requests.Response:
    if name == "delete":
        return stack.call("DELETE", f"/api/instances/{instance_id}")
    return stack.call("POST", f"/api/instances/{instance_id}/{name}")


def accepted(stack: Stack, instance_id: str, name: str) -> str:
    answer = verb(stack, instance_id, name)
    assert answer.status_code == 202, answer.text
    status: str = answer.json()["status"]
    return status


def told(stack: Stack, instance_id: str) -> list[str]:
    return [message["type"].removeprefix("instance.") for message in stack.messages(instance_id)]


def test_an_instance_is_stopped_started_restarted_and_ended(stack: Stack) -> None:
    instance_id = stack.create()
    stack.wait_for(instance_id, "running")
    assert accepted(stack, instance_id, "stop") == "stopping"
    assert accepted(stack, instance_id, "stop") in ("stopping", "stopped")
    stack.wait_for(instance_id, "stopped")
    (truth,) = stack.truths(instance_id)
    assert truth.status == "exited"

    assert accepted(stack, instance_id, "start") == "starting"
    stack.wait_for(instance_id, "running")
    assert accepted(stack, instance_id, "restart") == "starting"
    stack.wait_for(instance_id, "running", seconds=40)

    assert accepted(stack, instance_id, "delete") == "terminating"
    assert accepted(stack, instance_id, "delete") in ("terminating", "terminated")
    details = stack.wait_for(instance_id, "terminated", seconds=60)
    stack.wait_for_message(instance_id, "instance.terminated")
    assert verb(stack, instance_id, "start").json()["error"]["code"] == "INVALID_STATE"
    (truth,) = stack.truths(instance_id)
    assert not truth.is_alive
    assert told(stack, instance_id) == [
        *("creating", "starting", "running", "stopping", "stopped", "starting", "running"),
        *("starting", "running", "terminating", "terminated"),
    ]
    words = [word for _, word in truth.raw["phases"]]
    assert words.count("toRestart") == words.count("toStop") == words.count("toStart") == 1
    assert details["costUsd"] != "0.00"


def test_a_start_that_finds_no_gpu_leaves_it_stopped_with_its_disk(stack: Stack) -> None:
    instance_id = stack.create()
    stack.wait_for(instance_id, "running")
    accepted(stack, instance_id, "stop")
    stack.wait_for(instance_id, "stopped")
    (truth,) = stack.truths(instance_id)
    stack.simulator.control.set_stock(product_id=truth.product_id, cluster_id="*", free=0)
    accepted(stack, instance_id, "start")

    def refused() -> dict[str, Any] | None:
        details = stack.get(instance_id)
        return details if details.get("statusReason") else None

    details = wait_until(refused)
    assert (details["status"], details["statusReason"]["code"]) == (
        *("stopped", "INSUFFICIENT_RESOURCE"),
    )
    stack.simulator.control.clear_stock()
    accepted(stack, instance_id, "start")
    assert "statusReason" not in stack.wait_for(instance_id, "running")
    accepted(stack, instance_id, "delete")


@pytest.mark.long
def test_what_novita_and_its_console_do_is_followed_and_told(start_stack: Any) -> None:
    stack: Stack = start_stack(RECONCILE_INTERVAL="1", ORPHAN_GRACE="3", ABSENCE_AFTER="60")
    control = stack.simulator.control
    names = ("stopped", "reclaimed", "crashed", "deleted", "kept")
    ids = {name: stack.create() for name in names}
    for instance_id in ids.values():
        stack.wait_for(instance_id, "running")
    upstream = {name: stack.get(each)["novitaInstanceId"] for name, each in ids.items()}
    foreign = control.make_instance("my-gpu-somebody-elses")
    control.order(upstream["stopped"], "stop")
    control.order(upstream["reclaimed"], "spot_notice", force=True, notice_seconds=0)
    control.order(upstream["crashed"], "fail", status="exited", message="node lost")
    control.order(upstream["deleted"], "vanish")

    reasons = {
        "stopped": "CHANGED_AT_NOVITA",
        "reclaimed": "SPOT_RECLAIMED",
        "crashed": "CRASHED",
    }
    for name, code in reasons.items():
        details = stack.wait_for(ids[name], "stopped", seconds=60)
        assert details["statusReason"]["code"] == code, details
        stack.wait_for_message(ids[name], "instance.stopped")
    details = stack.wait_for(ids["deleted"], "terminated", seconds=100)
    assert details["statusReason"]["code"] == "DELETED_AT_NOVITA"
    stack.wait_for_message(ids["deleted"], "instance.terminated")
    assert stack.get(ids["kept"])["status"] == "running"

    # A double, as a create that acted twice would have left it, and an orphan.
    kept = next(t for t in control.ledger().alive() if t.id == upstream["kept"])
    double = control.make_instance(kept.name)
    wait_until(lambda: double.id not in alive(stack), seconds=30, what="for the double to end")
    assert foreign.id in alive(stack)
    assert stack.get(ids["kept"])["status"] == "running"


def alive(stack: Stack) -> set[str]:
    return {truth.id for truth in stack.simulator.control.ledger().instances if truth.is_alive}


def test_an_instance_is_ended_while_its_create_is_unconfirmed(start_stack: Any) -> None:
    stack: Stack = start_stack()
    stack.simulator.control.add_fault(
        "reset", when="after", method="POST", path="/gpu/instance/create"
    )
    stack.simulator.control.settings(list_lag_seconds=3)
    instance_id = stack.create()
    wait_until(lambda: stack.truths(instance_id))
    assert accepted(stack, instance_id, "delete") == "terminating"
    stack.wait_for(instance_id, "terminated", seconds=60)
    assert [truth.is_alive for truth in stack.truths(instance_id)] == [False]
