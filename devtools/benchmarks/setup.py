"""The environment of a run, in a temporary folder that is removed at the end."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

from devtools.benchmarks import markers
from devtools.benchmarks.competitors import site
from devtools.benchmarks.competitors.base import Competitor
from devtools.benchmarks.processes import ROOT, Tree
from devtools.benchmarks.remote import BenchError, Driver
from devtools.benchmarks.servers import Postgres, Redis

_DRAINED_SECONDS = 120.0


@dataclass
class Setup:
    """The servers on which competitors run, one at a time or several at once."""

    folder: Path
    postgres: Postgres
    redis: Redis | None
    redis_trouble: str = ""

    def missing(self, competitor: Competitor) -> str | None:
        """The reason why it cannot run; None if it can."""
        if competitor.uses_redis and self.redis is None:
            return self.redis_trouble
        return competitor.missing()

    @contextlib.contextmanager
    def troupe(
        self, competitor: Competitor, name: str = "", env: Mapping[str, str] | None = None
    ) -> Iterator["Troupe"]:
        """A competitor with its driver, on its own database; ``name`` distinguishes several."""
        troupe = Troupe(self, competitor, name or competitor.name, env or {})
        try:
            with troupe.driver:
                yield troupe
        finally:
            troupe.tree.kill()

    def servers(self, competitor: Competitor) -> list[psutil.Process]:
        found = self.postgres.processes()
        return [*found, *(self.redis.processes() if competitor.uses_redis and self.redis else [])]


class Troupe:
    """A competitor with its worker processes, which can be started, and its client."""

    def __init__(
        self, setup: Setup, competitor: Competitor, name: str, env: Mapping[str, str]
    ) -> None:
        self.setup = setup
        self.competitor = competitor
        self.markers = setup.folder / f"{name}.marks"
        self.log = setup.folder / f"{name}.log"
        self.env = {
            **competitor.env,
            **env,
            site.DATABASE: setup.postgres.database(f"bench_{name}"),
            site.REDIS: os.fspath(setup.redis.socket) if setup.redis else "",
            markers.VARIABLE: os.fspath(self.markers),
        }
        self.tree = Tree(competitor.commands, self.env, self.log)
        self.driver = Driver(competitor.client, self.env, self.log)

    def warm_up(self, tasks: Mapping[str, int]) -> None:
        """Run some jobs of each kind: imports, connections and plans are not to be measured."""
        for task, count in tasks.items():
            self.driver.ask("enqueue_many", task=task, count=count)
            self.driver.ask("await_drained", task=task, seconds=_DRAINED_SECONDS)

    def forget_markers(self) -> None:
        """Only while no worker has the file open."""
        self.markers.unlink(missing_ok=True)
        self.release_file.unlink(missing_ok=True)

    @property
    def release_file(self) -> Path:
        return self.markers.with_name(self.markers.name + ".release")


@contextlib.contextmanager
def open_setup() -> Iterator[Setup]:
    """Start the servers; at the end, in whatever way, stop them and remove every file."""
    folder = Path(tempfile.mkdtemp(prefix="novitai-bench-"))
    postgres: Postgres | None = None
    redis, trouble = None, ""
    try:
        postgres = Postgres(folder / "postgres")
        try:
            redis = Redis(folder / "redis", ROOT)
        except BenchError as error:
            trouble = str(error)
        yield Setup(folder, postgres, redis, trouble)
    finally:
        if redis is not None:
            redis.stop()
        if postgres is not None:
            postgres.stop()
        shutil.rmtree(folder, ignore_errors=True)


def prepare(setup: Setup, competitor: Competitor, name: str = "") -> None:
    """Create the competitor's schema. Raises BenchError."""
    with setup.troupe(competitor, name) as troupe:
        troupe.driver.ask("prepare")
