"""A request's name, followed to the calls to Novita and to the messages that come of it."""

from typing import Any

from devtools.faults.real.stack import Stack

CREATING, ENDING = "the-create.1", "the-end.1"


def calls_named(stack: Stack, name: str) -> list[dict[str, Any]]:
    return [c for c in stack.simulator.control.calls()["log"] if c["requestId"] == name]


def test_the_name_of_a_request_goes_up_to_novita_and_out_with_the_webhooks(stack: Stack) -> None:
    made = stack.call(
        "POST", "/api/instances", json=stack.create_body(), headers={"X-Request-Id": CREATING}
    )
    assert made.headers["X-Request-Id"] == CREATING
    instance_id = made.json()["instanceId"]
    stack.wait_for(instance_id, "running")
    stack.wait_for_message(instance_id, "instance.running")
    sent = calls_named(stack, CREATING)
    # Looks serve several instances at once and may carry another one's name.
    assert [call["method"] for call in sent].count("POST") == 1
    path = f"/api/instances/{instance_id}"
    ended = stack.call("DELETE", path, headers={"X-Request-Id": ENDING})
    assert ended.headers["X-Request-Id"] == ENDING
    stack.wait_for(instance_id, "terminated", seconds=60)
    assert any("delete" in call["path"] for call in calls_named(stack, ENDING))
    told = {m["type"]: m["requestId"] for m in stack.messages(instance_id)}
    assert told["instance.running"] == CREATING
    assert told["instance.terminating"] == ENDING
    log = (stack.folder / "web.log").read_text()
    assert f"request_id={CREATING}" in log or f'"request_id": "{CREATING}"' in log
    worker = (stack.folder / "worker.log").read_text()
    assert CREATING in worker
