"""Marks: lines from many processes in one file."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from devtools.benchmarks import marks
from devtools.benchmarks.measures.recovery import started_since
from devtools.benchmarks.processes import ROOT
from devtools.benchmarks.targets.safety import count_runs


def test_marks_are_read_as_they_were_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "marks"
    monkeypatch.setenv(marks.VARIABLE, os.fspath(path))
    before = marks.now()
    marks.mark([7, 8])
    marks.mark([9])
    found = marks.read_marks(path)
    assert [each.number for each in found] == [7, 8, 9]
    assert before <= found[0].at == found[1].at <= found[2].at <= marks.now()


def test_no_file_means_no_marks(tmp_path: Path) -> None:
    assert marks.read_marks(tmp_path / "none") == []


def test_the_clock_of_another_process_can_be_compared(tmp_path: Path) -> None:
    path = tmp_path / "marks"
    before = marks.now()
    subprocess.run(
        [sys.executable, "-c", "from devtools.benchmarks.marks import mark; mark([1])"],
        env={**os.environ, marks.VARIABLE: os.fspath(path)},
        cwd=ROOT,
        check=True,
    )
    (found,) = marks.read_marks(path)
    assert before < found.at < marks.now()


def test_a_recovery_counts_the_first_start_after_the_kill() -> None:
    second = 1_000_000_000
    seen = [marks.Mark(1, 5 * second), marks.Mark(1, 12 * second), marks.Mark(1, 20 * second)]
    assert started_since([*seen, marks.Mark(2, 11 * second)], 10 * second) == {1: 2.0, 2: 1.0}


def test_jobs_are_counted_by_how_often_they_ran() -> None:
    found = count_runs([marks.Mark(0, 1), marks.Mark(1, 1), marks.Mark(1, 2)], jobs=4)
    assert (found.ran_once, found.ran_more, found.never) == (1, 1, 2)
