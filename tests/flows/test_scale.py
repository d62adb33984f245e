"""Many instances at once cost a few pages, not a call each."""

import time
from datetime import datetime

from tests.flows.stack import Stack, wait_until

COUNT = 200


def test_two_hundred_pending_instances_are_watched_by_a_handful_of_list_pages(start_stack) -> None:
    stack: Stack = start_stack(SIMULATED_START="600", INSTANCE_POLL_INTERVAL="1")
    for _ in range(COUNT):
        stack.create(gpuNum=1, rootfsSize=60, productName="RTX 4090 24GB")
    wait_until(
        lambda: stack.call("GET", "/api/instances?status=starting&limit=1").status_code == 200
    )
    wait_until(lambda: len(stack.simulator.control.ledger().alive()) == COUNT, seconds=60)
    control = stack.simulator.control
    wait_until(lambda: _reads(stack) >= 2, seconds=20)
    control.reset_calls()
    began = time.monotonic()
    wait_until(lambda: time.monotonic() - began > 3 and _reads(stack) > 0, seconds=20)
    cycles = int(time.monotonic() - began) + 1
    assert _reads(stack) <= cycles * 5

    for truth in control.ledger().alive():
        control.order(truth.id, "run")
    wait_until(
        lambda: sum(m["type"] == "instance.running" for m in stack.messages()) == COUNT, seconds=60
    )
