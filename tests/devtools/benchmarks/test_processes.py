"""Trees of processes: nothing that was forked may be missed."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from devtools.benchmarks.processes import Tree, cpu_seconds, memory_bytes

FORKS = "import os, signal; os.fork(); signal.pause()"
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True)"


@pytest.fixture
def tree(tmp_path: Path) -> Iterator[Tree]:
    tree = Tree([[sys.executable, "-c", FORKS]] * 2, {}, tmp_path / "log")
    tree.start()
    try:
        eventually(lambda: len(tree.members()) == 4)
        yield tree
    finally:
        tree.kill()


def eventually(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_all_that_was_forked_is_killed(tree: Tree) -> None:
    members = tree.members()
    tree.kill()
    assert tree.members() == []
    assert not [each for each in members if each.is_running() and each.status() != "zombie"]


def test_what_its_parent_left_behind_is_still_found(tree: Tree) -> None:
    leader = min(tree.members(), key=lambda process: process.create_time())
    leader.kill()
    eventually(lambda: len(tree.members()) == 3)


def test_a_frozen_tree_stands_still_until_it_is_thawed(tree: Tree) -> None:
    tree.freeze()
    eventually(lambda: {each.status() for each in tree.members()} == {psutil.STATUS_STOPPED})
    tree.thaw()
    eventually(lambda: psutil.STATUS_STOPPED not in {each.status() for each in tree.members()})


def test_who_does_not_stop_when_asked_is_killed(tmp_path: Path) -> None:
    log = tmp_path / "log"
    tree = Tree([[sys.executable, "-c", STUBBORN + "; signal.pause()"]], {}, log)
    tree.start()
    eventually(lambda: "up" in log.read_text())
    tree.stop(seconds=0.1)
    assert tree.members() == []


def test_cost_is_counted_over_all_members(tree: Tree) -> None:
    members = tree.members()
    assert memory_bytes(members) > memory_bytes(members[:1]) > 0
    assert cpu_seconds(members) >= cpu_seconds(members[:1]) >= 0
    tree.kill()
    assert (memory_bytes(members), cpu_seconds(members)) == (0, 0.0)
