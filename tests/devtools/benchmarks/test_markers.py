"""Marks: lines from many processes in one file."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from devtools.benchmarks import markers
from devtools.benchmarks.goals.safety import count_runs
from devtools.benchmarks.measures.recovery import started_since
from devtools.benchmarks.processes import ROOT


def test_markers_are_read_as_they_were_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "marks"
    monkeypatch.setenv(markers.VARIABLE, os.fspath(path))
    before = markers.now()
    markers.put_marker([7, 8])
    markers.put_marker([9])
    found = markers.read_markers(path)
    assert [each.number for each in found] == [7, 8, 9]
    assert before <= found[0].at == found[1].at <= found[2].at <= markers.now()


def test_no_file_means_no_markers(tmp_path: Path) -> None:
    assert markers.read_markers(tmp_path / "none") == []


def test_the_clock_of_another_process_can_be_compared(tmp_path: Path) -> None:
    path = tmp_path / "marks"
    before = markers.now()
    subprocess.run(
        [
            sys.executable,
            "-c",
            "from devtools.benchmarks.markers import put_marker; put_marker([1])",
        ],
        env={**os.environ, markers.VARIABLE: os.fspath(path)},
        cwd=ROOT,
        check=True,
    )
    (found,) = markers.read_markers(path)
    assert before < found.at < markers.now()


def test_a_recovery_counts_the_first_start_after_the_kill() -> None:
    second = 1_000_000_000
    seen = [
        markers.Marker(1, 5 * second),
        markers.Marker(1, 12 * second),
        markers.Marker(1, 20 * second),
    ]
    assert started_since([*seen, markers.Marker(2, 11 * second)], 10 * second) == {1: 2.0, 2: 1.0}


def test_jobs_are_counted_by_how_often_they_ran() -> None:
    found = count_runs([markers.Marker(0, 1), markers.Marker(1, 1), markers.Marker(1, 2)], jobs=4)
    assert (found.ran_once, found.ran_more, found.never) == (1, 1, 2)
