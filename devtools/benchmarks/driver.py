"""Operates one competitor's queue: ``python -m devtools.benchmarks.driver MODULE:CLASS``.

Requests and answers are lines of JSON, so that the measuring process needs neither Django nor any
of the compared systems. Times are taken here, in the process that does the work.
"""

import json
import os
import random
import sys
import time
from collections.abc import Callable
from importlib import import_module
from typing import Any

from devtools.benchmarks.competitors.base import Client

POLL_SECONDS = 0.02


class Actions:
    """The possible requests."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def prepare(self) -> None:
        self._client.prepare()

    def clear(self) -> None:
        self._client.clear()

    def fill(self, task: str, count: int) -> None:
        self._client.fill(task, count)

    def enqueue(self, task: str, count: int) -> float:
        """Seconds for ``count`` single enqueues."""
        begun = time.monotonic()
        for number in range(count):
            self._client.enqueue(task, number)
        return time.monotonic() - begun

    def enqueue_many(self, task: str, count: int) -> float:
        begun = time.monotonic()
        self._client.enqueue_many(task, count)
        return time.monotonic() - begun

    def await_drained(self, task: str, seconds: float) -> int:
        """The time (monotonic nanoseconds) at which the queue was empty."""
        deadline = time.monotonic() + seconds
        while not self._client.is_drained(task):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{task} was not drained in {seconds} s")
            time.sleep(POLL_SECONDS)
        return time.monotonic_ns()

    def call(self, method: str, **arguments: Any) -> Any:
        """Call a method that only this client has."""
        return getattr(self._client, method)(**arguments)

    def pace(self, task: str, first: int, count: int, per_second: float) -> list[int]:
        """Enqueue at irregular intervals, so that they do not match the interval of a poll.

        Returns the time at which each enqueue was committed.
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
    # Output of libraries goes to stderr: it must not be read as an answer.
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
