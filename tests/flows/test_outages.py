"""Novita or a part of the service is away for a while: it is told, and nothing is lost."""

from typing import Any

import pytest

from devtools.faults.real.stack import Stack, wait_until


def health(stack: Stack) -> tuple[int, dict[str, Any]]:
    answer = stack.call("GET", "/health", headers={"Authorization": ""})
    return answer.status_code, answer.json()


def test_an_outage_of_novita_is_told_by_health_and_outlived_by_creations(start_stack) -> None:
    stack: Stack = start_stack(SIMULATED_START="1")
    wait_until(lambda: health(stack)[0] == 200, what="for health")
    stack.simulator.stop()
    instance_id = stack.create()

    def is_down() -> bool:
        code, body = health(stack)
        return code == 503 and body["services"]["novitaApi"] == "down"

    wait_until(is_down, seconds=40, what="for health to tell")
    assert health(stack)[1]["status"] == "unhealthy"
    assert stack.call("GET", "/readyz").status_code == 200
    assert stack.get(instance_id)["status"] == "creating"

    stack.simulator.start()
    assert stack.wait_for(instance_id, "running", "failed", seconds=60)["status"] == "running"
    wait_until(lambda: health(stack)[0] == 200, seconds=40, what="for health to recover")
    assert len(stack.truths(instance_id)) == 1


def test_requests_are_accepted_while_no_worker_lives_and_done_when_one_comes(start_stack) -> None:
    stack: Stack = start_stack(SIMULATED_START="1")
    assert stack.worker.stop() == 0
    wait_until(lambda: health(stack)[0] == 503, what="for health to miss the worker")
    assert stack.call("GET", "/readyz").status_code == 200
    instance_id = stack.create()
    assert stack.get(instance_id)["status"] == "creating"
    stack.worker.start()
    assert stack.wait_for(instance_id, "running", "failed")["status"] == "running"


@pytest.mark.long
def test_a_second_cluster_shares_the_work_and_takes_over_when_the_first_is_killed(
    start_stack,
) -> None:
    stack: Stack = start_stack(SIMULATED_START="2")
    second = stack.another_worker()
    second.start()
    try:
        ids = [stack.create() for _ in range(6)]
        stack.worker.kill()
        for instance_id in ids:
            details = stack.wait_for(instance_id, "running", "failed", seconds=60)
            assert details["status"] == "running"
        assert len(stack.simulator.control.ledger().instances) == len(ids)
    finally:
        second.stop()
