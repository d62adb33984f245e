"""The engine's table, worked by the floor's clients."""

from benchmarks.contenders.engine.client import EngineClient, execute
from benchmarks.contenders.floor.client import CHANNEL


class OwnTableClient(EngineClient):
    """See Client."""

    def fill(self, task: str, count: int) -> None:
        super().fill(task, count)
        execute(f"NOTIFY {CHANNEL}")
