"""From one POST to one GPU and its webhooks, through real processes."""

import pytest

from devtools.faults.real.stack import EXAMPLE, Stack, wait_until


def test_one_post_gets_one_gpu_at_the_best_price_and_signed_webhooks_in_order(
    stack: Stack,
) -> None:
    instance_id = stack.create()
    details = stack.wait_for(instance_id, "running", "failed")
    assert details["status"] == "running"
    stack.wait_for_message(instance_id, "instance.running")

    messages = stack.messages(instance_id)
    assert [m["type"] for m in messages] == [
        "instance.creating",
        "instance.starting",
        "instance.running",
    ]
    assert [m["sequence"] for m in messages] == [1, 2, 3]
    assert messages[-1]["status"] == "running"
    assert messages[-1]["data"]["connectionDetails"]["ssh"].startswith("ssh://")
    assert messages[-1]["data"]["id"] == instance_id

    (truth,) = stack.truths(instance_id)
    assert truth.id == details["novitaInstanceId"]
    assert (truth.gpu_num, truth.billing_mode, truth.cluster_id) == (2, "spot", "us-ca-6")
    alternatives = details["placement"]["alternatives"]
    chosen = details["placement"]["chosen"]["pricePerGpuHourUsd"]
    assert all(float(offer["pricePerGpuHourUsd"]) >= float(chosen) for offer in alternatives)
    assert "sold out" in [item["reason"] for item in details["placement"]["rejected"]]


def test_a_create_whose_answer_is_lost_is_found_again_and_never_sent_twice(stack: Stack) -> None:
    stack.simulator.control.add_fault(
        "reset", when="after", method="POST", path="/gpu/instance/create", count=1
    )
    instance_id = stack.create()
    details = stack.wait_for(instance_id, "running", "failed")
    assert details["status"] == "running"
    assert len(stack.truths(instance_id)) == 1
    events = stack.call("GET", f"/api/instances/{instance_id}/events").json()["events"]
    assert "instance.create_ambiguous" in [event["type"] for event in events]


def test_a_create_that_got_lost_on_its_way_is_sent_again_after_proof_of_absence(
    stack: Stack,
) -> None:
    stack.simulator.control.add_fault(
        "close", when="before", method="POST", path="/gpu/instance/create", count=1
    )
    instance_id = stack.create()
    details = stack.wait_for(instance_id, "running", "failed")
    assert details["status"] == "running"
    assert len(stack.truths(instance_id)) == 1
    events = stack.call("GET", f"/api/instances/{instance_id}/events").json()["events"]
    assert "instance.create_disproved" in [event["type"] for event in events]


def test_an_offer_that_is_sold_out_on_create_makes_way_for_the_next(stack: Stack) -> None:
    stack.simulator.control.add_fault(
        "status",
        method="POST",
        path="/gpu/instance/create",
        count=1,
        status=400,
        reason="INSUFFICIENT_RESOURCE",
    )
    instance_id = stack.create()
    details = stack.wait_for(instance_id, "running", "failed")
    assert details["status"] == "running"
    (truth,) = stack.truths(instance_id)
    assert truth.product_id == details["placement"]["chosen"]["productId"]
    assert len(details["placement"]["rejected"]) > 1


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"templateId": "999999999"}, "TEMPLATE_NOT_FOUND"),
        ({"productName": "No Such GPU"}, "PRODUCT_NOT_FOUND"),
        ({"productName": "RTX 3090 24GB", "billingMode": "onDemand"}, "NO_OPTIMAL_PRODUCT"),
    ],
)
def test_a_request_that_no_offer_fits_fails_with_a_reason(
    stack: Stack, change: dict[str, object], code: str
) -> None:
    instance_id = stack.create(**change)
    details = stack.wait_for(instance_id, "running", "failed")
    assert (details["status"], details.get("error", {}).get("code")) == ("failed", code)
    message = stack.wait_for_message(instance_id, "instance.failed")
    assert message["error"] == details["error"]["message"]
    assert stack.truths(instance_id) == []


def test_a_plan_knows_what_would_become_of_the_template(stack: Stack) -> None:
    def plan(**changes: object) -> dict[str, object]:
        answer = stack.call("POST", "/api/instances/plan", json={**EXAMPLE, **changes})
        return {**answer.json(), "codes": [each["code"] for each in answer.json()["reasons"]]}

    wait_until(lambda: not plan()["codes"], what="for the first read of Novita's offers")
    community = plan(templateId="5561")
    assert (community["codes"], community["templateChecked"]) == ([], True)
    unknown = plan(templateId="999999998")
    assert (unknown["codes"], unknown["wouldBePlaced"]) == (["TEMPLATE_NOT_FOUND"], False)
    probe = {"type": "tcp", "port": 9999}
    assert plan(readinessProbe=probe)["codes"] == ["PROBE_PORT_NOT_PUBLISHED"]


def test_what_never_runs_fails_at_its_start_timeout_and_its_gpu_is_ended(start_stack) -> None:
    stack = start_stack(INSTANCE_START_TIMEOUT="4", SIMULATED_START="1000")
    instance_id = stack.create()
    details = stack.wait_for(instance_id, "failed")
    assert details["error"]["code"] == "STARTUP_TIMEOUT"
    wait_until(lambda: not stack.simulator.control.ledger().alive(), what="for the GPU to be ended")


def test_an_instance_that_novita_fails_carries_novitas_words(stack: Stack) -> None:
    stack.simulator.control.settings(start_seconds=60)
    try:
        instance_id = stack.create()
        stack.wait_for(instance_id, "starting")
        (truth,) = stack.truths(instance_id)
        stack.simulator.control.order(truth.id, "fail", message="image pull failed: denied")
        details = stack.wait_for(instance_id, "failed")
    finally:
        stack.simulator.control.settings(start_seconds=2)
    assert details["error"]["code"] == "STARTUP_FAILED"
    assert "image pull failed" in details["error"]["message"]
