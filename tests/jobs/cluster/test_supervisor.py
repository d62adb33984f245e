"""``manage.py worker`` with real processes, ended and frozen in every way that happens to them."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from jobs import counters, queue
from jobs.handler import RetryPolicy
from jobs.models import Counter, Job, Worker
from tests.jobs.commands import WORKERS, Command, status
from tests.jobs.conftest import Register
from tests.jobs.sampleapp.handlers import BY_NAME

pytestmark = pytest.mark.django_db(transaction=True)

Start = Callable[..., Command]


@pytest.fixture
def start(register: Register, tmp_path: Path) -> Iterator[Start]:
    """Start a command with these options and wait for all of its processes."""
    for name in BY_NAME:
        register(name, retry=RetryPolicy(max_attempts=3))
    started: list[Command] = []

    def start(**options: Any) -> Command:
        command = Command(tmp_path / f"worker-{len(started)}.log", **options)
        started.append(command)
        command.eventually(command.is_complete, seconds=40)
        return command

    try:
        yield start
    finally:
        for command in started:
            command.end()


def counted(name: str) -> int:
    return sum(Counter.objects.filter(name=name).values_list("value", flat=True))


# Graceful stop


def test_sigterm_stops_it_in_time_and_gives_back_what_it_holds(start: Start) -> None:
    """Four of its threads hang; the rest of the batch has not begun."""
    command = start()
    command.runs_a_job()
    for _ in range(10):
        queue.enqueue("hanging", payload={})
    command.eventually(lambda: Job.objects.filter(attempts=1).count() == 11)
    command.process.send_signal(signal.SIGTERM)
    assert command.process.wait(timeout=40) == 0
    assert command.alive() == []
    held = Job.objects.filter(type="hanging").values_list("status", "attempts", "lease_token")
    assert set(held) == {("pending", 0, None)}
    assert not Worker.objects.exists()


def test_sigterm_to_the_whole_group_stops_it_as_well(start: Start) -> None:
    command = start()
    command.runs_a_job()
    job = command.hangs_at_a_job()
    os.killpg(command.process.pid, signal.SIGTERM)
    assert command.process.wait(timeout=40) == 0
    assert command.alive() == []
    assert status(job) == "pending"


# Sudden death


def test_jobs_still_complete_after_the_death_of_any_one_process(start: Start) -> None:
    """One after the other; each replacement is the youngest child, which tells who is who."""
    command = start()
    command.runs_a_job()
    for victim in ("pusher", "monitor", "worker", "sentinel"):
        children = command.children
        process = {
            "pusher": children[-1],
            "monitor": children[-2],
            "worker": children[0],
            "sentinel": command.sentinel,
        }[victim]
        process.kill()
        process.wait(timeout=40)
        command.runs_a_job()
        command.eventually(command.is_complete)
    present = {command.sentinel, *command.children}
    command.eventually(lambda: set(command.alive()) == present)
    assert counted(counters.CLUSTER_RESTARTS) == 1


def test_jobs_still_complete_after_the_death_of_all_workers_that_read_the_queue(
    start: Start,
) -> None:
    """With multiprocessing's queue, the one that waits holds its lock, for good if it is killed."""
    command = start()
    command.runs_a_job()
    for _ in range(3):
        workers = command.children[:WORKERS]
        for each in workers:
            each.kill()
        psutil.wait_procs(workers, timeout=40)
        command.runs_a_job()
        command.eventually(command.is_complete)


def test_jobs_still_complete_after_the_death_of_everybody_but_the_command(start: Start) -> None:
    command = start()
    command.runs_a_job()
    for each in [command.sentinel, *command.children]:
        each.kill()
    command.runs_a_job()
    command.eventually(command.is_complete)


def test_the_death_of_the_command_leaves_no_orphan(start: Start) -> None:
    command = start()
    command.runs_a_job()
    command.process.kill()
    command.process.wait(timeout=40)
    command.eventually(lambda: command.alive() == [])


def test_what_a_killed_cluster_held_is_done_by_another(start: Start, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    first = start(TEST_LEASE="3")
    jobs = [queue.enqueue("gated", payload={"gate": str(gate)}) for _ in range(6)]
    first.eventually(lambda: Job.objects.filter(attempts=1).count() == 6)
    second = start(TEST_LEASE="3")
    for each in first.everybody():
        each.kill()
    gate.touch()
    second.eventually(lambda: {status(job) for job in jobs} == {"completed"})
    assert counted(counters.LEASES_LAPSED) == 6


@pytest.mark.parametrize("victim", ["worker", "sentinel"])
def test_what_a_dead_process_held_is_taken_back_before_its_lease_lapses(
    start: Start, tmp_path: Path, victim: str
) -> None:
    gate = tmp_path / "gate"
    command = start(TEST_LEASE="600")
    job = queue.enqueue("gated", payload={"gate": str(gate)})
    command.eventually(lambda: Job.objects.get().attempts == 1)
    holder = Job.objects.values_list("worker", flat=True).get()
    process = psutil.Process(int(holder.split(":")[-2]))
    (process if victim == "worker" else command.sentinel).kill()
    command.eventually(lambda: Job.objects.get().attempts == 2)
    gate.touch()
    command.eventually(lambda: status(job) == "completed")


def test_what_kills_its_process_fails_alone(start: Start, tmp_path: Path) -> None:
    """Each of its neighbours was there at one death after another, and is done all the same."""
    gate = tmp_path / "gate"
    command = start(workers=1, TEST_LEASE="1")
    neighbours = [queue.enqueue("gated", payload={"gate": str(gate)}) for _ in range(3)]
    command.eventually(lambda: Job.objects.filter(attempts=1).count() == 3)
    poison = queue.enqueue("poison", payload={})
    # At their last chance all of them would be in one process once more.
    command.eventually(lambda: Job.objects.filter(attempts=3).exists(), seconds=40)
    gate.touch()
    command.eventually(lambda: status(poison) == "failed", seconds=40)
    command.eventually(lambda: {status(job) for job in neighbours} == {"completed"}, seconds=40)
    poison.refresh_from_db()
    assert (poison.attempts, poison.error) == (3, "The worker died in each of 3 attempts.")


def test_a_job_over_its_run_limit_ends_its_process_and_is_tried_again(start: Start) -> None:
    command = start(TEST_LEASE="1", TEST_RUN_LIMIT="1")
    job = command.hangs_at_a_job()
    command.eventually(lambda: status(job) == "failed", seconds=40)
    assert counted(counters.RUN_LIMITS_EXCEEDED) >= 2
    command.runs_a_job()


# Frozen


def test_a_cluster_that_was_frozen_past_its_leases_writes_nothing(
    start: Start, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    first = start(TEST_LEASE="2")
    jobs = [
        queue.enqueue("gated", payload={"gate": str(gate), "count": "written"}) for _ in range(4)
    ]
    first.eventually(lambda: Job.objects.filter(attempts=1).count() == 4)
    frozen = first.everybody()
    for each in reversed(frozen):
        each.suspend()
    second = start(TEST_LEASE="2")
    second.eventually(lambda: Job.objects.filter(attempts=2).count() == 4)
    gate.touch()
    second.eventually(lambda: {status(job) for job in jobs} == {"completed"})
    for each in frozen:
        each.resume()
    first.eventually(lambda: counted(counters.STALE_WRITES_REFUSED) == 4)
    assert counted("written") == 4
    first.runs_a_job()


@pytest.mark.parametrize("frozen", ["workers", "pusher"])
def test_the_watchdog_replaces_what_stands_still(start: Start, frozen: str) -> None:
    command = start(TEST_STALL="4", TEST_PUSHER="5", TEST_LEASE="2")
    command.runs_a_job()
    children = command.children
    for each in children[:WORKERS] if frozen == "workers" else children[-1:]:
        each.suspend()
    command.runs_a_job(seconds=40)
    command.eventually(command.is_complete)


# Many


def test_several_clusters_run_each_job_exactly_once(start: Start, tmp_path: Path) -> None:
    log = tmp_path / "numbers"
    log.touch()
    for number in range(1000):
        queue.enqueue("logged", payload={"log": str(log), "number": number})
    clusters = [start() for _ in range(3)]
    clusters[0].eventually(lambda: not Job.objects.live().exists(), seconds=60)
    numbers = [int(line) for line in log.read_text().splitlines()]
    assert sorted(numbers) == list(range(1000))


def test_every_worker_process_tells_what_it_runs(start: Start) -> None:
    command = start(TEST_LEASE="3")
    job = command.hangs_at_a_job()
    command.eventually(lambda: Worker.objects.filter(in_flight=1).exists())
    command.eventually(lambda: Worker.objects.count() == WORKERS)
    workers = list(Worker.objects.all())
    assert {worker.pid for worker in workers} == {each.pid for each in command.children[:WORKERS]}
    assert {worker.cluster.rpartition(":")[2] for worker in workers} == {str(command.process.pid)}
    (busy,) = (worker for worker in workers if worker.in_flight)
    ((told),) = busy.running
    assert (told["job"], told["type"]) == (job.public_id, "hanging")
    first = busy.last_seen_at
    deadline = time.monotonic() + 20
    while Worker.objects.get(pk=busy.pk).last_seen_at == first:
        assert time.monotonic() < deadline
