"""Runs scenarios: a Postgres, a migrated database to copy, a stack for each."""

import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from devtools.faults.real.databases import Database, OwnServer, Server, copy_of
from devtools.faults.real.replay import Say, play
from devtools.faults.real.scenario import Outcome, Scenario
from devtools.faults.real.stack import Stack
from devtools.faults.results import Row

# Two stacks at once: a run mostly waits for leases, observations and settle times.
LANES = 2

# Of figures with these prefixes the largest is kept; all others are added up.
EXTREMES = ("most ", "longest ")

# Folders to remove if this process is ended at once.
open_folders: list[Path] = []


@dataclass(frozen=True, slots=True)
class Environment:
    """A temporary Postgres; ``template`` has the service's tables."""

    folder: Path
    server: Server
    template: Database

    @classmethod
    @contextmanager
    def open(cls) -> Iterator[Self]:
        """Removed at the end. Folders of broken scenarios stay: their logs are needed."""
        folder = Path(tempfile.mkdtemp(prefix="novitai-faults-"))
        open_folders.append(folder)
        own = OwnServer(folder / "postgres")
        try:
            yield cls(folder, own.server, own.migrate("template"))
        finally:
            own.stop()
            shutil.rmtree(folder / "postgres", ignore_errors=True)
            if not any(folder.iterdir()):
                folder.rmdir()

    def play(self, scenario: Scenario, seeds: Sequence[int], *, say: Say) -> Row:
        """Run all seeds of a scenario on one stack. Its logs are kept if a promise is broken."""
        row = Row(
            scenario.fault,
            scenario.title,
            target_seconds=scenario.recovery_target_seconds,
            not_yet=scenario.not_yet,
        )
        if scenario.not_yet:
            return row
        begun = time.monotonic()
        folder = self.folder / scenario.fault.lower()
        folder.mkdir()
        try:
            with self._stack(scenario, folder) as stack:
                outcomes = play(scenario, stack, seeds, say=say)
        except Exception as error:  # noqa: BLE001 - the other scenarios go on
            outcomes = []
            row.violations.append(f"the scenario raised an error: {type(error).__name__}: {error}")
        row.seeds, row.seconds = list(seeds), time.monotonic() - begun
        _sum_up(row, outcomes)
        if not row.violations:
            shutil.rmtree(folder)
        return row

    def play_all(self, scenarios: Sequence[tuple[Scenario, Sequence[int]]], say: Say) -> list[Row]:
        with ThreadPoolExecutor(LANES) as lanes:
            return list(lanes.map(lambda each: self.play(each[0], each[1], say=say), scenarios))

    @contextmanager
    def _stack(self, scenario: Scenario, folder: Path) -> Iterator[Stack]:
        with ExitStack() as closing:
            own = None
            server, template = self.server, self.template
            if scenario.has_own_server:
                own = OwnServer(folder / "postgres")
                closing.callback(own.stop)
                server, template = own.server, own.migrate("template")
            database = copy_of(server, template.name)
            stack = Stack(folder, database, scenario.shape, **scenario.environment)
            stack.own_server = own
            yield closing.enter_context(stack)


def _sum_up(row: Row, outcomes: Sequence[Outcome]) -> None:
    for outcome in outcomes:
        row.instances += outcome.instances
        row.deaths += outcome.deaths
        row.recovered_seconds += outcome.recovered_seconds
        row.violations += [f"seed {outcome.seed}: {text}" for text in outcome.violations]
        row.broken_seeds += [outcome.seed] if outcome.violations else []
        for name, value in outcome.figures.items():
            so_far = row.figures.get(name, 0)
            is_extreme = name.startswith(EXTREMES)
            row.figures[name] = max(so_far, value) if is_extreme else so_far + value
