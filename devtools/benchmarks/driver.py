"""Works one contender's queue on request: ``python -m devtools.benchmarks.driver MODULE:CLASS``.

Requests and answers are lines of JSON, so that the measuring process needs neither Django nor any
of the peers. Everything is timed here, where it happens.
"""

import json
import os
import random
import sys
import time
from collections.abc import Callable
from importlib import import_module
from typing import Any

from devtools.benchmarks.contenders.base import Client

POLL_SECONDS = 0.02


class Actions:
    """What may be asked."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def prepare(self) -> None:
        self._client.prepare()

    def clear(self) -> None:
        self._client.clear()

    def fill(self, task: str, count: int) -> None:
        self._client.fill(task, count)

    def enqueue(self, task: str, count: int) -> float:
        """Seconds for so many, one by one."""
        begun = time.monotonic()
        for number in range(count):
            self._client.enqueue(task, number)
        return time.monotonic() - begun

    def enqueue_many(self, task: str, count: int) -> float:
        begun = time.monotonic()
        self._client.enqueue_many(task, count)
        return time.monotonic() - begun

    def await_drained(self, task: str, seconds: float) -> int:
        """The moment (monotonic nanoseconds) at which nothing of it was left."""
        deadline = time.monotonic() + seconds
        while not self._client.is_drained(task):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{task} was not drained in {seconds} s")
            time.sleep(POLL_SECONDS)
        return time.monotonic_ns()

    def call(self, method: str, **arguments: Any) -> Any:
        """Something that only this client has."""
        return getattr(self._client, method)(**arguments)

    def pace(self, task: str, first: int, count: int, per_second: float) -> list[int]:
        """Enqueue at uneven intervals, lest they chime with somebody's polling.

        Returns the moments at which each enqueue had been committed.
        """
        chance = random.Random(count)  # noqa: S311 - no secret
        moments = []
        due = time.monotonic()
        for number in range(first, first + count):
            due += chance.uniform(0.5, 1.5) / per_second
            time.sleep(max(0.0, due - time.monotonic()))
            self._client.enqueue(task, number)
            moments.append(time.monotonic_ns())
        return moments


def main() -> None:
    """Answer until the input ends."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    # Whatever a library prints must not be taken for an answer.
    os.dup2(2, 1)
    module, _, name = sys.argv[1].partition(":")
    client: Client = getattr(import_module(module), name)()
    actions = Actions(client)
    answers.write(json.dumps({"value": "ready"}) + "\n")
    for line in sys.stdin:
        request = json.loads(line)
        action: Callable[..., Any] = getattr(actions, request.pop("action"))
        answers.write(json.dumps({"value": action(**request)}) + "\n")


if __name__ == "__main__":
    main()
