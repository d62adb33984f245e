"""The competitors' side: the driver's protocol, and the engine's handlers on the real engine."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from devtools.benchmarks.competitors.base import Competitor
from devtools.benchmarks.driver import Actions
from devtools.benchmarks.remote import BenchError, Driver, answer_of
from devtools.benchmarks.run import COMPETITORS


class FakeClient:
    """A queue that is drained at the second look."""

    def __init__(self) -> None:
        self.jobs: list[tuple[str, int]] = []
        self.polls = 0

    def prepare(self) -> None:
        sys.stdout.write("what a library prints is no answer\n")

    def clear(self) -> None:
        self.jobs.clear()

    def fill(self, task: str, count: int) -> None:
        self.jobs += [(task, number) for number in range(count)]

    def enqueue(self, task: str, number: int) -> None:
        if task == "broken":
            raise RuntimeError("the queue is broken")
        self.jobs.append((task, number))

    def enqueue_many(self, task: str, count: int) -> None:
        self.fill(task, count)

    def is_drained(self, task: str) -> bool:
        self.polls += 1
        return self.polls > 1


CLIENT = "tests.devtools.benchmarks.test_competitors:FakeClient"


def test_jobs_are_enqueued_one_by_one_and_paced() -> None:
    client = FakeClient()
    actions = Actions(client)
    assert actions.enqueue("noop", 3) >= 0
    moments = actions.pace("mark", first=100, count=3, per_second=10_000)
    assert client.jobs == [("noop", 0), ("noop", 1), ("noop", 2)] + [
        ("mark", number) for number in (100, 101, 102)
    ]
    assert moments == sorted(moments)


def test_a_drain_that_does_not_end_is_given_up() -> None:
    client = FakeClient()
    client.polls = -1_000
    with pytest.raises(TimeoutError, match="noop"):
        Actions(client).await_drained("noop", seconds=0.0)


def test_a_driver_answers_from_its_own_process(tmp_path: Path) -> None:
    with Driver(CLIENT, os.environ, tmp_path / "log") as driver:
        driver.ask("prepare")
        driver.send("await_drained", task="noop", seconds=5.0)
        assert driver.receive() > 0


def test_a_driver_that_fails_says_why(tmp_path: Path) -> None:
    with (
        Driver(CLIENT, os.environ, tmp_path / "log") as driver,
        pytest.raises(BenchError, match="the queue is broken"),
    ):
        driver.ask("enqueue", task="broken", count=1)


def test_a_program_that_fails_says_why(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="No module named"):
        answer_of("benchmarks.nothing", {}, os.environ, tmp_path / "log")


def test_who_is_not_installed_is_left_out() -> None:
    absent = Competitor("x", "X", "", [], {}, [], needs=["no_such_package"])
    assert absent.missing() == "not installed: no_such_package"


def test_every_competitor_is_named_once_and_says_what_it_was_given() -> None:
    assert len({each.name for each in COMPETITORS}) == len(COMPETITORS)
    assert all(each.settings and each.drains for each in COMPETITORS)
