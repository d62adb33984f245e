"""Receivers that are down, slow or hostile get their messages all the same, or visibly not."""

from standardwebhooks import Webhook

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
    listed = stack.call("GET", f"/api/instances/{instance_id}/deliveries").json()["deliveries"]
    assert {each["status"] for each in listed} >= {"failed"}
    assert stack.receiver.control.deliveries("/hook") == []


def test_a_receiver_that_says_410_is_left_alone_until_it_is_enabled(stack: Stack) -> None:
    stack.receiver.control.behave("/gone", status=410, times=1)
    instance_id = stack.create(webhookUrl=stack.receiver.control.url("/gone"))
    stack.wait_for(instance_id, "running")
    path = f"/api/webhooks?instanceId={instance_id}"
    (endpoint,) = stack.call("GET", path).json()["endpoints"]
    assert endpoint["disabledReason"] == "It answered 410 Gone."
    assert len(stack.receiver.control.deliveries("/gone")) == 1
    own = f"/api/webhooks/{endpoint['id']}"
    stack.call("PATCH", own, json={"enabled": True})
    stack.call("POST", f"{own}/replay", json={"since": "2020-01-01T00:00:00Z"})
    wait_until(lambda: len(stack.receiver.control.deliveries("/gone")) >= 4)


def test_an_endpoint_gets_test_messages_new_messages_and_replays(stack: Stack) -> None:
    url = stack.receiver.control.url("/endpoint")
    made = stack.call("POST", "/api/webhooks", json={"url": url}).json()
    tested = stack.call("POST", f"/api/webhooks/{made['id']}/test")
    assert (tested.status_code, tested.json()["delivered"]) == (200, True)
    instance_id = stack.create()
    stack.wait_for(instance_id, "running")
    wait_until(lambda: len(stack.receiver.control.deliveries("/endpoint")) >= 4)
    body = {"since": "2020-01-01T00:00:00Z", "instanceId": instance_id}
    replay = stack.call("POST", f"/api/webhooks/{made['id']}/replay", json=body).json()
    path = f"/api/replays/{replay['id']}"
    wait_until(lambda: stack.call("GET", path).json()["status"] == "completed")
    received = [
        each["headers"]["webhook-id"] for each in stack.receiver.control.deliveries("/endpoint")
    ]
    assert received[1:4] == received[4:7]
    for each in stack.receiver.control.deliveries("/endpoint"):
        assert Webhook(made["secret"]).verify(each["body"], each["headers"])
    events = stack.call("GET", "/api/events").json()["events"]
    assert {each["id"] for each in events} >= set(received)
