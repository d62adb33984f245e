"""The event loop of the waiting clients, with one more thread for database queries."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from django.db import Error, connection


class LoopThread:
    """``call`` and ``join`` are for other threads; everything else is for code in the loop.

    loop: a running loop to use; with None, a new loop runs in a thread of its own.
    One thread for the database: one query for all clients is better than many at once.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop | None) -> None:
        self._is_own = loop is None
        self._loop = loop or asyncio.new_event_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="events-look")
        self._is_over = threading.Event()

    # Called by other threads

    def start(self) -> None:
        if self._is_own:
            threading.Thread(target=self._run, name="events-loop", daemon=True).start()

    def call(self, what: Callable[[], Any]) -> bool:
        """Run in the loop. False if the loop has ended."""
        try:
            self._loop.call_soon_threadsafe(what)
        except RuntimeError:
            return False
        return True

    def join(self, timeout: float) -> None:
        """Wait until it has stopped."""
        self._is_over.wait(timeout)
        self._pool.shutdown()

    # Called in the loop

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        return self._loop

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Start a task, and hold a reference to it so that it is not garbage-collected."""
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def ask(self, question: Callable[..., Any], *about: Any) -> Any:
        """Run a query in the database thread."""
        return await self._loop.run_in_executor(self._pool, _answer_to, question, *about)

    def stop(self) -> None:
        """End all tasks, and the loop if it is our own."""
        for task in self._tasks - {asyncio.current_task(self._loop)}:
            task.cancel()
        if self._is_own:
            self._loop.stop()
        else:
            self._is_over.set()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()
        left = asyncio.all_tasks(self._loop)
        self._loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        self._loop.close()
        self._is_over.set()


def _answer_to(question: Callable[..., Any], *about: Any) -> Any:
    """Run a query; close the connection after an error, so that the next query opens a new one."""
    try:
        return question(*about)
    except Error:
        connection.close()
        raise
