"""The event loop that holds every waiting client of a process."""

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Coroutine, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import groupby
from operator import attrgetter
from typing import Any

import structlog
from django.db import Error, connection

from instances.live import looking
from instances.live.clients import (
    Stream,
    Wait,
    WaitEnd,
    answer_wait,
    is_stalled,
    wait_answer,
)
from instances.live.listener import CHANNEL, Listener
from instances.live.looking import Key
from instances.live.seats import Seats
from instances.live.sinks import Sink, SocketSink

logger = structlog.get_logger(__name__)

HEARTBEAT_SECONDS = 15.0
STALLED_SECONDS = 30.0
# While an older transaction holds events back.
_FIRST_PAUSE, _LONGEST_PAUSE = 0.02, 1.0
_DATABASE_PAUSE = 1.0
_SHUTDOWN_SECONDS = 5.0

Client = Wait | Stream


class Hub:
    """``adopt`` and ``add`` may be called from any thread; everything else happens in the loop's.

    Database work goes to one thread beside the loop: a query for all is better than many at once.
    """

    def __init__(self, heartbeat_seconds: float = HEARTBEAT_SECONDS) -> None:
        self.seats = Seats()
        self._heartbeat_seconds = heartbeat_seconds
        self._sinks: dict[Client, Sink] = {}
        self._releases: dict[Client, Callable[[], None]] = {}
        # Whose news has not been looked for yet.
        self._dirty: set[Client] = set()
        self._look: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._pause = _FIRST_PAUSE
        self._is_closing = False
        self._loop = asyncio.new_event_loop()
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="events-look")
        self._listener = Listener(self._hear)
        self._thread = threading.Thread(target=self._run, name="events-loop", daemon=True)
        self._thread.start()
        self._listener.start()

    # Called by other threads

    def adopt(
        self, client: Client, sock: socket.socket, sink: SocketSink, release: Callable[[], None]
    ) -> None:
        """Take a client together with its socket, which is this loop's from now on."""
        sock.setblocking(False)
        if not self._call(lambda: self._spawn(self._adopt(client, sock, sink, release))):
            sock.close()
            release()

    def add(self, client: Client, sink: Sink, release: Callable[[], None]) -> None:
        """Take a client whose sink needs no socket."""
        if not self._call(lambda: self._take(client, sink, release)):
            sink.close()
            release()

    def drop(self, client: Client) -> None:
        """Its thread does not wait any more."""
        self._call(lambda: self._forget(client))

    def begin_closing(self) -> None:
        """Answer every wait and end every stream; takes no time. May be called by a signal."""
        self._listener.stop()
        self._call(lambda: self._spawn(self._close()))

    def close(self) -> None:
        """The same, and wait for it."""
        self.begin_closing()
        self._thread.join(_SHUTDOWN_SECONDS + 1)
        self._listener.join(_SHUTDOWN_SECONDS)
        self._pool.shutdown()

    def _hear(self, projects: set[int] | None) -> None:
        self._call(lambda: self._mark(projects))

    def _call(self, what: Callable[[], Any]) -> bool:
        """Whether the loop is still there to do it."""
        try:
            self._loop.call_soon_threadsafe(what)
        except RuntimeError:
            return False
        return True

    # The loop's own

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.call_soon(lambda: self._spawn(self._beat()))
        self._loop.run_forever()
        left = asyncio.all_tasks(self._loop)
        for task in left:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        self._loop.close()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _adopt(
        self, client: Client, sock: socket.socket, sink: SocketSink, release: Callable[[], None]
    ) -> None:
        try:
            await self._loop.connect_accepted_socket(lambda: sink, sock)
        except OSError:
            sock.close()
            release()
            return
        self._take(client, sink, release)

    def _take(self, client: Client, sink: Sink, release: Callable[[], None]) -> None:
        self._sinks[client], self._releases[client] = sink, release
        sink.on_gone = lambda: self._forget(client)
        sink.on_room = lambda: self._look_for([client])
        if isinstance(client, Stream):
            client.begin(sink)
        else:
            self._loop.call_at(
                self._loop.time() + client.deadline - time.monotonic(), self._time_out, client
            )
        if self._is_closing:
            self._spawn(self._end([client]))
        else:
            self._look_for([client])

    def _forget(self, client: Client) -> None:
        self._dirty.discard(client)
        if self._sinks.pop(client, None) is not None:
            self._releases.pop(client)()

    def _mark(self, projects: set[int] | None) -> None:
        self._look_for(
            client for client in self._sinks if projects is None or client.project_id in projects
        )

    def _look_for(self, clients: Iterable[Client]) -> None:
        self._dirty.update(clients)
        if self._dirty and (self._look is None or self._look.done()):
            self._look = self._loop.create_task(self._look_until_done())

    async def _look_until_done(self) -> None:
        while self._dirty:
            clients = [client for client in self._dirty if client in self._sinks]
            self._dirty.clear()
            try:
                await self._tell_waits([each for each in clients if isinstance(each, Wait)])
                await self._tell_streams([each for each in clients if isinstance(each, Stream)])
            except Error as error:
                logger.warning("events_not_read", error=type(error).__name__)
                self._dirty.update(client for client in clients if client in self._sinks)
                await asyncio.sleep(_DATABASE_PAUSE)

    async def _ask(self, question: Callable[..., Any], *about: Any) -> Any:
        return await self._loop.run_in_executor(self._pool, question, *about)

    # Waits

    async def _tell_waits(self, waits: list[Wait]) -> None:
        waits = [wait for wait in waits if wait.end is None]
        if not waits:
            return
        seen: dict[int, int] = {}
        for wait in waits:
            seen[wait.instance_id] = min(wait.after, seen.get(wait.instance_id, wait.after))
        arrivals = await self._ask(looking.arrivals_after, seen)
        by_instance = {
            pk: list(group) for pk, group in groupby(arrivals, key=attrgetter("instance_id"))
        }
        over = [wait for wait in waits if wait.take(by_instance.get(wait.instance_id, ()))]
        await self._answer_or_hang_up(over)

    def _time_out(self, wait: Wait) -> None:
        if wait in self._sinks and wait.end is None:
            wait.end = WaitEnd.TIMEOUT
            self._spawn(self._answer_or_hang_up([wait]))

    async def _answer(self, waits: list[Wait]) -> None:
        if not waits:
            return
        details = await self._ask(looking.details_of, {wait.instance_id for wait in waits})
        for wait in waits:
            if wait in self._sinks and not wait.is_answered:
                wait.is_answered = True
                sequence, fields = details[wait.instance_id]
                end = wait.end or WaitEnd.TIMEOUT
                answer_wait(self._sinks[wait], wait_answer(fields, sequence, end, wait.reached))

    async def _answer_or_hang_up(self, waits: list[Wait]) -> None:
        """There is no answer without the database; a closed connection says to ask again."""
        try:
            await self._answer(waits)
        except Error:
            for wait in waits:
                if wait in self._sinks:
                    self._sinks[wait].abort()

    # Streams

    async def _tell_streams(self, streams: list[Stream]) -> None:
        streams = [each for each in streams if self._sinks[each].full_since is None]
        if not streams:
            return
        cursors: dict[int, Key] = {}
        for each in streams:
            cursors[each.project_id] = min(each.cursor, cursors.get(each.project_id, each.cursor))
        rows = await self._ask(looking.events_after, cursors)
        by_project = {pk: list(group) for pk, group in groupby(rows, key=attrgetter("project_id"))}
        for each in streams:
            if each in self._sinks:
                each.take(by_project.get(each.project_id, ()), self._sinks[each])
        self._look_again(streams, by_project)

    def _look_again(self, streams: list[Stream], by_project: dict[int, Any]) -> None:
        """At once for who has more pages to go; soon for who has events that are held back."""
        held = {pk for pk, rows in by_project.items() if not rows[-1].is_settled}
        more = {
            pk for pk, rows in by_project.items() if len(rows) >= looking.PAGE and pk not in held
        }
        self._dirty.update(
            each for each in streams if each.project_id in more and each in self._sinks
        )
        if not held:
            self._pause = _FIRST_PAUSE
            return
        self._loop.call_later(self._pause, self._mark, held)
        self._pause = min(self._pause * 2, _LONGEST_PAUSE)

    # Time

    async def _beat(self) -> None:
        while not self._is_closing:
            await asyncio.sleep(self._heartbeat_seconds)
            await self._end_streams_of_dead_keys()
            for client, sink in list(self._sinks.items()):
                if is_stalled(sink, STALLED_SECONDS):
                    sink.abort()
                elif isinstance(client, Stream) and sink.full_since is None:
                    sink.write(b": still here\n\n")

    async def _end_streams_of_dead_keys(self) -> None:
        streams = [client for client in self._sinks if isinstance(client, Stream)]
        if not streams:
            return
        try:
            usable = await self._ask(looking.usable_keys, [each.api_key_id for each in streams])
        except Error:
            return
        for each in streams:
            if each.api_key_id not in usable and each in self._sinks:
                self._sinks[each].close()

    async def _close(self) -> None:
        if self._is_closing:
            return
        self._is_closing = True
        try:
            await self._end(list(self._sinks))
            deadline = self._loop.time() + _SHUTDOWN_SECONDS
            while self._sinks and self._loop.time() < deadline:
                await asyncio.sleep(0.02)
            await self._ask(_knock_and_close)
        finally:
            self._loop.stop()

    async def _end(self, clients: list[Client]) -> None:
        waits = [each for each in clients if isinstance(each, Wait)]
        for client in clients:
            if isinstance(client, Stream):
                self._sinks[client].close()
        for wait in waits:
            wait.end = wait.end or WaitEnd.SHUTDOWN
        await self._answer_or_hang_up(waits)


def _knock_and_close() -> None:
    """The listener has no other ear than its connection: let it hear that it is over."""
    with suppress(Error), connection.cursor() as cursor:
        cursor.execute("SELECT pg_notify(%s, '')", [CHANNEL])
    connection.close()
