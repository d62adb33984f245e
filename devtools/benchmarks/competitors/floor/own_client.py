"""Client of the engine's table for the floor's workers."""

from devtools.benchmarks.competitors.engine.client import EngineClient, execute
from devtools.benchmarks.competitors.floor.client import CHANNEL


class OwnTableClient(EngineClient):
    """See Client."""

    def fill(self, task: str, count: int) -> None:
        super().fill(task, count)
        execute(f"NOTIFY {CHANNEL}")
