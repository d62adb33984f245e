"""Holds the waiting clients of a process from their arrival to the end of their connection."""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress

from django.db import Error, connection

from instances.streaming import queries
from instances.streaming.connection_limits import ConnectionLimits
from instances.streaming.connections import Connection
from instances.streaming.dispatcher import Dispatcher
from instances.streaming.listener import CHANNEL, Listener
from instances.streaming.loop import LoopThread
from instances.streaming.subscribers import (
    Client,
    Stream,
    Wait,
    WaitEnd,
    is_stalled,
    refuse_wait,
)

HEARTBEAT_SECONDS = 15.0
STALLED_SECONDS = 30.0
# Interval at which clients of revoked or expired API keys are found.
KEYS_SECONDS = 3.0
_SHUTDOWN_SECONDS = 5.0


class Hub:
    """Public methods may be called in any thread; everything else runs in the loop's thread."""

    def __init__(
        self,
        heartbeat_seconds: float = HEARTBEAT_SECONDS,
        keys_seconds: float = KEYS_SECONDS,
        loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        self.connection_limits = ConnectionLimits()
        self._heartbeat_seconds = heartbeat_seconds
        self._keys_seconds = keys_seconds
        self._sinks: dict[Client, Connection] = {}
        self._releases: dict[Client, Callable[[], None]] = {}
        self._is_closing = False
        self._thread = LoopThread(loop)
        self._dispatcher = Dispatcher(self._thread, self._sinks)
        self._listener = Listener(self._hear)
        self._thread.call(lambda: self._thread.spawn(self._beat()))
        self._thread.call(lambda: self._thread.spawn(self._check_keys()))
        self._thread.start()
        self._listener.start()

    # Called by other threads

    def add(self, client: Client, sink: Connection, release: Callable[[], None]) -> None:
        """Take over a client; ``release`` is called when it has gone."""
        if not self._thread.call(lambda: self._take(client, sink, release)):
            sink.close()
            release()

    def drop(self, client: Client) -> None:
        """Remove a client whose request's thread has ended."""
        self._thread.call(lambda: self._forget(client))

    def begin_closing(self) -> None:
        """Answer every wait and end every stream. Does not block; signal handlers may call it."""
        self._listener.stop()
        self._thread.call(lambda: self._thread.spawn(self._begin_closing()))

    def close(self) -> None:
        """Close and wait for the end; clients that arrive meanwhile are answered, too."""
        self.begin_closing()
        self._thread.call(lambda: self._thread.spawn(self._stop()))
        self._thread.join(_SHUTDOWN_SECONDS + 1)
        self._listener.join(_SHUTDOWN_SECONDS)

    def _hear(self, projects: set[int] | None) -> None:
        self._thread.call(lambda: self._dispatcher.read_projects(projects))

    # Adding and removing clients

    def _take(self, client: Client, sink: Connection, release: Callable[[], None]) -> None:
        self._sinks[client], self._releases[client] = sink, release
        sink.on_gone = lambda: self._forget(client)
        sink.on_room = lambda: self._dispatcher.read_for([client])
        if isinstance(client, Stream):
            client.begin(sink)
        else:
            seconds = client.deadline - time.monotonic()
            self._thread.loop.call_later(seconds, self._time_out, client)
        if self._is_closing:
            self._thread.spawn(self._end([client]))
        else:
            self._dispatcher.read_for([client])

    def _forget(self, client: Client) -> None:
        self._dispatcher.forget(client)
        if self._sinks.pop(client, None) is not None:
            self._releases.pop(client)()

    # Timers

    def _time_out(self, wait: Wait) -> None:
        if wait in self._sinks and wait.end is None:
            wait.end = WaitEnd.TIMEOUT
            self._thread.spawn(self._dispatcher.answer_or_hang_up([wait]))

    async def _beat(self) -> None:
        while not self._is_closing:
            await asyncio.sleep(self._heartbeat_seconds)
            for client, sink in list(self._sinks.items()):
                if is_stalled(sink, STALLED_SECONDS):
                    sink.abort()
                elif isinstance(client, Stream) and sink.full_since is None:
                    sink.write(b": still here\n\n")

    async def _check_keys(self) -> None:
        while not self._is_closing:
            await asyncio.sleep(self._keys_seconds)
            await self._end_those_of_dead_keys()

    async def _end_those_of_dead_keys(self) -> None:
        clients = list(self._sinks)
        if not clients:
            return
        try:
            usable = await self._thread.ask(queries.usable_keys, {c.api_key_id for c in clients})
        except Error:
            return
        for client in clients:
            if client.api_key_id not in usable and client in self._sinks:
                self._end_for_its_key(client)

    def _end_for_its_key(self, client: Client) -> None:
        if isinstance(client, Stream):
            self._sinks[client].close()
        elif not client.is_answered:
            client.is_answered = True
            refuse_wait(self._sinks[client], client.refuse())

    # Shutdown

    async def _begin_closing(self) -> None:
        if not self._is_closing:
            self._is_closing = True
            await self._end(list(self._sinks))

    async def _end(self, clients: list[Client]) -> None:
        for client in clients:
            if isinstance(client, Stream):
                self._sinks[client].close()
        waits = [each for each in clients if isinstance(each, Wait)]
        for wait in waits:
            wait.end = wait.end or WaitEnd.SHUTDOWN
        await self._dispatcher.answer_or_hang_up(waits)

    async def _stop(self) -> None:
        deadline = self._thread.loop.time() + _SHUTDOWN_SECONDS
        try:
            while self._sinks and self._thread.loop.time() < deadline:
                await asyncio.sleep(0.02)
            await self._thread.ask(_knock_and_close)
        finally:
            self._thread.stop()


def _knock_and_close() -> None:
    """Wake the listener through its connection, so that it stops at once."""
    with suppress(Error), connection.cursor() as cursor:
        cursor.execute("SELECT pg_notify(%s, '')", [CHANNEL])
    connection.close()
