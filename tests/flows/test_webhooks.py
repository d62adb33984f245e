"""Receivers that are down, slow or hostile get their messages all the same, or visibly not."""

from devtools.faults.real.stack import Stack, wait_until


def test_a_receiver_that_was_down_gets_every_message_in_order_once_it_is_back(
    start_stack,
) -> None:
    stack: Stack = start_stack(SIMULATED_START="1")
    stack.receiver.control.behave("/hook", status=503, times=1)
    instance_id = stack.create()
    stack.wait_for(instance_id, "running")
    stack.wait_for_message(instance_id, "instance.running", seconds=60)
    assert [m["type"] for m in stack.messages(instance_id)] == [
        "instance.creating",
        "instance.starting",
        "instance.running",
    ]
    ids = [d["headers"]["webhook-id"] for d in stack.receiver.control.deliveries("/hook")]
    assert ids[0] == ids[1] != ids[2]


def test_a_redirect_is_not_followed(stack: Stack) -> None:
    elsewhere = stack.receiver.control.url("/elsewhere")
    stack.receiver.control.behave("/moved", redirect_to=elsewhere)
    instance_id = stack.create(webhookUrl=stack.receiver.control.url("/moved"))
    stack.wait_for(instance_id, "running")
    wait_until(lambda: stack.receiver.control.deliveries("/moved"))
    assert stack.receiver.control.deliveries("/elsewhere") == []


def test_a_private_address_is_never_connected_to(start_stack) -> None:
    stack: Stack = start_stack(SIMULATED_START="1", WEBHOOK_ALLOWED_NETWORKS="10.255.255.0/24")
    instance_id = stack.create()
    stack.wait_for(instance_id, "running")

    def told() -> list[dict[str, object]]:
        events = stack.call("GET", f"/api/instances/{instance_id}/events").json()["events"]
        return [event for event in events if event["type"] == "instance.webhook_given_up"]

    first = wait_until(told)[0]
    assert "private" in str(first["data"])
    jobs = stack.call("GET", f"/api/jobs?instance={instance_id}").json()["jobs"]
    assert "failed" in {job["status"] for job in jobs if job["type"] == "send_webhook"}
    assert stack.receiver.control.deliveries("/hook") == []


def test_a_receiver_that_says_410_is_left_alone_and_the_next_message_still_goes_out(
    stack: Stack,
) -> None:
    stack.receiver.control.behave("/gone", status=410, times=1)
    instance_id = stack.create(webhookUrl=stack.receiver.control.url("/gone"))
    stack.wait_for(instance_id, "running")
    wait_until(lambda: len(stack.receiver.control.deliveries("/gone")) >= 3)
    jobs = stack.call("GET", f"/api/jobs?instance={instance_id}").json()["jobs"]
    ended = [job["status"] for job in jobs if job["type"] == "send_webhook"]
    assert ended.count("failed") == 1
