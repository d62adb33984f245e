"""Power cuts in the middle of work: nothing lost, nothing doubled."""

from devtools.faults.real.stack import Stack, wait_until

COUNT = 20


def test_twenty_creations_survive_kill_minus_nine_of_the_whole_cluster(start_stack) -> None:
    stack: Stack = start_stack(SIMULATED_START="3")
    # Slow creates, so that the kill finds some sent, some being sent and some not yet.
    stack.simulator.control.add_fault(
        "delay", when="after", method="POST", path="/gpu/instance/create", latency_seconds=0.7
    )
    ids = [stack.create(name=f"crash-{number}") for number in range(COUNT)]
    wait_until(lambda: len(stack.simulator.control.ledger().instances) >= COUNT // 4)
    stack.worker.kill()
    stack.simulator.control.clear_faults()
    stack.worker.start()

    for instance_id in ids:
        details = stack.wait_for(instance_id, "running", "failed", seconds=60)
        assert details["status"] == "running", details
    for instance_id in ids:
        stack.wait_for_message(instance_id, "instance.running", seconds=30)
    ledger = stack.simulator.control.ledger()
    assert len(ledger.instances) == COUNT
    held = {stack.get(instance_id)["novitaInstanceId"] for instance_id in ids}
    assert held == {truth.id for truth in ledger.alive()}
    for instance_id in ids:
        # A message may arrive twice, and other events may take a number in between.
        told = {message["sequence"]: message["type"] for message in stack.messages(instance_id)}
        assert [told[number] for number in sorted(told)] == [
            "instance.creating",
            "instance.starting",
            "instance.running",
        ]
