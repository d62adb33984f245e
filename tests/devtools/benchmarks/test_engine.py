"""The engine as a competitor: ``manage.py worker`` on the benchmark's handlers."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import connection
from psycopg.conninfo import make_conninfo

from devtools.benchmarks import markers
from devtools.benchmarks.competitors import site
from devtools.benchmarks.competitors.base import BATCHED, MARK
from devtools.benchmarks.competitors.engine import ENGINE
from devtools.benchmarks.processes import Tree
from devtools.benchmarks.remote import Driver

pytestmark = pytest.mark.django_db(transaction=True)
DRAINED_SECONDS = 30.0


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    """On the database of the running test."""
    known = connection.get_connection_params()
    names = ("host", "port", "user", "dbname", "password")
    return {
        **ENGINE.env,
        site.DATABASE: make_conninfo(**{name: known[name] for name in names if known.get(name)}),
        markers.VARIABLE: os.fspath(tmp_path / "marks"),
    }


@pytest.fixture
def workers(env: dict[str, str], tmp_path: Path) -> Iterator[Tree]:
    tree = Tree(ENGINE.commands, env, tmp_path / "worker.log")
    tree.start()
    try:
        yield tree
    finally:
        tree.kill()


def test_the_engine_drains_what_it_is_given_and_says_when(
    env: dict[str, str], workers: Tree, tmp_path: Path
) -> None:
    with Driver(ENGINE.client, env, tmp_path / "driver.log") as driver:
        driver.ask("enqueue_many", task=BATCHED, count=250)
        driver.ask("await_drained", task=BATCHED, seconds=DRAINED_SECONDS)
        committed = driver.ask("pace", task=MARK, first=0, count=3, per_second=1_000)
        driver.ask("await_drained", task=MARK, seconds=DRAINED_SECONDS)
    seen = markers.read_markers(tmp_path / "marks")
    assert sorted(each.number for each in seen) == [0, 1, 2]
    assert max(each.at for each in seen) > committed[0]
