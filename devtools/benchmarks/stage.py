"""The environment of a run, in a temporary folder that is removed at the end."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

from devtools.benchmarks import marks
from devtools.benchmarks.contenders import site
from devtools.benchmarks.contenders.base import Contender
from devtools.benchmarks.processes import ROOT, Tree
from devtools.benchmarks.remote import BenchError, Driver
from devtools.benchmarks.servers import Postgres, Redis

_DRAINED_SECONDS = 120.0


@dataclass
class Stage:
    """The servers on which contenders run, one at a time or several at once."""

    folder: Path
    postgres: Postgres
    redis: Redis | None
    redis_trouble: str = ""

    def missing(self, contender: Contender) -> str | None:
        """The reason why it cannot run; None if it can."""
        if contender.uses_redis and self.redis is None:
            return self.redis_trouble
        return contender.missing()

    @contextlib.contextmanager
    def troupe(
        self, contender: Contender, name: str = "", env: Mapping[str, str] | None = None
    ) -> Iterator["Troupe"]:
        """A contender with its driver, on a database of its own; ``name`` distinguishes several."""
        troupe = Troupe(self, contender, name or contender.name, env or {})
        try:
            with troupe.driver:
                yield troupe
        finally:
            troupe.tree.kill()

    def servers(self, contender: Contender) -> list[psutil.Process]:
        found = self.postgres.processes()
        return [*found, *(self.redis.processes() if contender.uses_redis and self.redis else [])]


class Troupe:
    """A contender with its worker processes, which can be started, and its client."""

    def __init__(
        self, stage: Stage, contender: Contender, name: str, env: Mapping[str, str]
    ) -> None:
        self.stage = stage
        self.contender = contender
        self.marks = stage.folder / f"{name}.marks"
        self.log = stage.folder / f"{name}.log"
        self.env = {
            **contender.env,
            **env,
            site.DATABASE: stage.postgres.database(f"bench_{name}"),
            site.REDIS: os.fspath(stage.redis.socket) if stage.redis else "",
            marks.VARIABLE: os.fspath(self.marks),
        }
        self.tree = Tree(contender.commands, self.env, self.log)
        self.driver = Driver(contender.client, self.env, self.log)

    def warm_up(self, tasks: Mapping[str, int]) -> None:
        """Run some jobs of each kind: imports, connections and plans are not to be measured."""
        for task, count in tasks.items():
            self.driver.ask("enqueue_many", task=task, count=count)
            self.driver.ask("await_drained", task=task, seconds=_DRAINED_SECONDS)

    def forget_marks(self) -> None:
        """Only while no worker has the file open."""
        self.marks.unlink(missing_ok=True)
        self.release_file.unlink(missing_ok=True)

    @property
    def release_file(self) -> Path:
        return self.marks.with_name(self.marks.name + ".release")


@contextlib.contextmanager
def open_stage() -> Iterator[Stage]:
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
        yield Stage(folder, postgres, redis, trouble)
    finally:
        if redis is not None:
            redis.stop()
        if postgres is not None:
            postgres.stop()
        shutil.rmtree(folder, ignore_errors=True)


def prepare(stage: Stage, contender: Contender, name: str = "") -> None:
    """Create the contender's schema. Raises BenchError."""
    with stage.troupe(contender, name) as troupe:
        troupe.driver.ask("prepare")
