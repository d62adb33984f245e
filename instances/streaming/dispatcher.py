"""Reads new events for waiting clients and sends them: one query for all clients concerned."""

import asyncio
from collections.abc import Iterable, Mapping
from itertools import groupby
from operator import attrgetter
from typing import Any

import structlog
from django.db import Error

from instances.streaming import queries
from instances.streaming.connections import Connection
from instances.streaming.loop import LoopThread
from instances.streaming.queries import Key
from instances.streaming.subscribers import (
    Client,
    Stream,
    Wait,
    WaitedDetails,
    WaitEnd,
    answer_wait,
)

logger = structlog.get_logger(__name__)

# Pause before reading again while events wait for an older transaction to end.
_FIRST_PAUSE, _LONGEST_PAUSE = 0.02, 1.0
_DATABASE_PAUSE = 1.0


class Dispatcher:
    """``sinks``: connected clients, maintained by the hub. Use in the loop's thread only."""

    def __init__(self, thread: LoopThread, sinks: Mapping[Client, Connection]) -> None:
        self._thread = thread
        self._sinks = sinks
        # Clients for which new events have not been read yet.
        self._dirty: set[Client] = set()
        self._reading: asyncio.Task[None] | None = None
        self._pause = _FIRST_PAUSE

    def read_for(self, clients: Iterable[Client]) -> None:
        """Read new events for these clients soon, together with clients added until then."""
        self._dirty.update(clients)
        if self._dirty and (self._reading is None or self._reading.done()):
            self._reading = self._thread.spawn(self._read_until_done())

    def read_projects(self, projects: set[int] | None) -> None:
        """Read new events for all clients of these projects; None: of all projects."""
        self.read_for(
            client for client in self._sinks if projects is None or client.project_id in projects
        )

    def forget(self, client: Client) -> None:
        self._dirty.discard(client)

    async def _read_until_done(self) -> None:
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

    # Waits

    async def _tell_waits(self, waits: list[Wait]) -> None:
        waits = [wait for wait in waits if wait.end is None]
        if not waits:
            return
        seen: dict[int, int] = {}
        for wait in waits:
            seen[wait.instance_id] = min(wait.after, seen.get(wait.instance_id, wait.after))
        arrivals = await self._thread.ask(queries.arrivals_after, seen)
        by_instance = {
            pk: list(group) for pk, group in groupby(arrivals, key=attrgetter("instance_id"))
        }
        over = [wait for wait in waits if wait.take(by_instance.get(wait.instance_id, ()))]
        await self.answer_or_hang_up(over)

    async def answer_or_hang_up(self, waits: list[Wait]) -> None:
        """Answer; without a database, close the connections instead, so that clients retry."""
        try:
            await self._answer(waits)
        except Error:
            for wait in waits:
                if wait in self._sinks:
                    self._sinks[wait].abort()

    async def _answer(self, waits: list[Wait]) -> None:
        if not waits:
            return
        instance_ids = {wait.instance_id for wait in waits}
        details = await self._thread.ask(queries.details_of, instance_ids)
        for wait in waits:
            if wait in self._sinks and not wait.is_answered:
                wait.is_answered = True
                sequence, found = details[wait.instance_id]
                end = wait.end or WaitEnd.TIMEOUT
                answer = WaitedDetails.of(found, sequence, end, wait.reached)
                answer_wait(self._sinks[wait], answer)

    # Streams

    async def _tell_streams(self, streams: list[Stream]) -> None:
        streams = [each for each in streams if self._sinks[each].full_since is None]
        if not streams:
            return
        cursors: dict[int, Key] = {}
        for each in streams:
            cursors[each.project_id] = min(each.cursor, cursors.get(each.project_id, each.cursor))
        rows = await self._thread.ask(queries.events_after, cursors)
        by_project = {pk: list(group) for pk, group in groupby(rows, key=attrgetter("project_id"))}
        for each in streams:
            if each in self._sinks:
                each.take(by_project.get(each.project_id, ()), self._sinks[each])
        self._read_again(streams, by_project)

    def _read_again(self, streams: list[Stream], by_project: dict[int, Any]) -> None:
        """Read again: streams with more pages at once, events that are not final after a pause."""
        held = {pk for pk, rows in by_project.items() if not rows[-1].is_final}
        more = {
            pk for pk, rows in by_project.items() if len(rows) >= queries.PAGE and pk not in held
        }
        self._dirty.update(
            each for each in streams if each.project_id in more and each in self._sinks
        )
        if not held:
            self._pause = _FIRST_PAUSE
            return
        self._thread.loop.call_later(self._pause, self.read_projects, held)
        self._pause = min(self._pause * 2, _LONGEST_PAUSE)
