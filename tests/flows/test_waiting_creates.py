"""What an operator must mend, or what stands in front of Novita, holds creates and fails nobody."""

import time
from typing import Any

import pytest

from devtools.faults.real.stack import Stack, wait_until

CREATE = {"method": "POST", "path": "/gpu/instance/create"}


def waiting(stack: Stack, instance_id: str, code: str) -> None:
    """Until the instance says that it waits for this."""

    def is_told() -> bool:
        details = stack.get(instance_id)
        assert details["status"] == "creating", details
        return details.get("waiting", {}).get("code") == code

    wait_until(is_told, seconds=20, what=f"for {code}")


def runs(stack: Stack, ids: list[str], *, within: float) -> None:
    begun = time.monotonic()
    for instance_id in ids:
        details = stack.wait_for(instance_id, "starting", "running", "failed", seconds=within)
        assert details["status"] in ("starting", "running"), details
        assert "waiting" not in details
        assert len(stack.truths(instance_id)) == 1
    assert time.monotonic() - begun < within


def calls(stack: Stack, path: str) -> list[dict[str, Any]]:
    log: list[dict[str, Any]] = stack.simulator.control.calls(path)["log"]
    return log


def test_a_refused_key_holds_a_wave_of_creates_and_lets_it_go_within_seconds(start_stack) -> None:
    stack: Stack = start_stack(SIMULATED_START="1")
    control = stack.simulator.control
    control.refuse_key()
    ids = [stack.create() for _ in range(6)]
    for instance_id in ids:
        waiting(stack, instance_id, "NOVITA_KEY_REFUSED")
    control.reset_calls()
    wait_until(lambda: len(calls(stack, "/clusters")) >= 2, what="for two tries of the key")
    assert calls(stack, CREATE["path"]) == []
    control.accept_key()
    runs(stack, ids, within=18)


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ({}, "BALANCE_NOT_ENOUGH"),
        ({"reason": "CREATE_INSTANCE_LIMIT", "message": "limit"}, "QUOTA_EXCEEDED"),
    ],
)
def test_an_account_that_cannot_buy_holds_a_create_until_it_can(
    stack: Stack, answer: dict[str, Any], code: str
) -> None:
    stack.simulator.control.refuse_account(**answer)
    try:
        instance_id = stack.create()
        waiting(stack, instance_id, code)
    finally:
        stack.simulator.control.accept_account()
    runs(stack, [instance_id], within=30)


@pytest.mark.parametrize("preset", ["cloudflare_403", "kong_404", "html_200"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_the_word_of_an_edge_to_a_create_proves_nothing(
    stack: Stack, preset: str, when: str
) -> None:
    stack.simulator.control.edge(preset, when=when, count=1, **CREATE)
    instance_id = stack.create()
    runs(stack, [instance_id], within=30)
    events = stack.call("GET", f"/api/instances/{instance_id}/events").json()["events"]
    assert "instance.create_ambiguous" in [event["type"] for event in events]
    assert not any("<" in event.get("cause", "") for event in events)


def test_a_create_that_acted_and_was_called_off_is_adopted(stack: Stack) -> None:
    stack.simulator.control.edge("client_closed_499", count=1, **CREATE)
    instance_id = stack.create()
    runs(stack, [instance_id], within=30)


@pytest.mark.parametrize("form", ["id", "code", "name"])
def test_a_region_in_any_form_can_be_created_in(stack: Stack, form: str) -> None:
    before = stack.simulator.control.settings()["regions_form"]
    stack.simulator.control.settings(regions_form=form)
    try:
        runs(stack, [stack.create()], within=30)
    finally:
        stack.simulator.control.settings(regions_form=before)
