"""The engine's table, worked by the floor's clients."""

from devtools.benchmarks.contenders.engine.client import EngineClient, execute
from devtools.benchmarks.contenders.floor.client import CHANNEL


class OwnTableClient(EngineClient):
    """See Client."""

    def fill(self, task: str, count: int) -> None:
        super().fill(task, count)
        execute(f"NOTIFY {CHANNEL}")
