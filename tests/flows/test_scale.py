"""Many instances at once cost a few pages, not a call each."""

from collections import Counter
from typing import Any

import pytest

from devtools.faults.real.stack import Stack, wait_until

COUNT = 200
POLL_SECONDS = 1
# Two pages of a hundred, one that proves the end, and room for an observation that was cut in two.
CALLS_PER_INTERVAL = 6


@pytest.mark.long
def test_two_hundred_pending_instances_cost_a_handful_of_pages_an_interval(start_stack) -> None:
    stack: Stack = start_stack(SIMULATED_START="600", INSTANCE_POLL_INTERVAL=str(POLL_SECONDS))
    body = {"gpuNum": 1, "rootfsSize": 60, "productName": "RTX 4090 24GB"}
    ids = [stack.create(**body) for _ in range(COUNT)]
    for instance_id in ids:
        stack.wait_for(instance_id, "starting", seconds=60)

    control = stack.simulator.control
    control.reset_calls()
    wait_until(
        lambda: len(reads_by_interval(control.calls()["log"])) > 6, what="for seven observations"
    )
    # The first observations after the burst may be cut in several; then all come due together.
    steady = [calls for _, calls in sorted(reads_by_interval(control.calls()["log"]).items())][3:]
    assert max(steady) <= CALLS_PER_INTERVAL, steady

    for truth in control.ledger().alive():
        control.order(truth.id, "run")
    wait_until(lambda: len(announced(stack)) == COUNT, seconds=60, what="for all webhooks")
    assert len(control.ledger().instances) == COUNT


def reads_by_interval(log: list[dict[str, Any]]) -> Counter[int]:
    """Reads of instances by the grid point of the poll interval that they belong to."""
    reads = [call for call in log if "/gpu/instance" in call["path"] and call["method"] == "GET"]
    return Counter(call["realMs"] // (POLL_SECONDS * 1000) for call in reads)


def announced(stack: Stack) -> set[str]:
    """The instances whose ``running`` message has arrived."""
    return {m["instanceId"] for m in stack.messages() if m["type"] == "instance.running"}
