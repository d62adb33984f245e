"""What a waiting client asked for, and how it handles new events. Writes only to its connection."""

import json
import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus
from typing import Annotated, Self

from pydantic import Field

from core.answers import OneOf
from instances.domain.enums import reachable_from
from instances.lifecycle.representation import InstanceDetails
from instances.streaming.connections import Connection
from instances.streaming.queries import Arrival, Key, StreamRow

RETRY_MILLISECONDS = 2000


class WaitEnd(StrEnum):
    """Why a wait was answered."""

    REACHED = "reached"
    TIMEOUT = "timeout"
    # None of the requested statuses can be reached from the present one.
    UNREACHABLE = "unreachable"
    # This process stops; the client should ask again.
    SHUTDOWN = "shutdown"


@dataclass(frozen=True, slots=True)
class Refusal:
    """Answer to a wait whose API key was revoked or has expired in the meantime."""

    status: HTTPStatus
    body: bytes


@dataclass(eq=False, slots=True)
class Wait:
    """Waits until an event after ``after`` changes the instance to one of ``statuses``."""

    project_id: int
    api_key_id: int
    instance_id: int
    statuses: frozenset[str]
    after: int
    deadline: float
    # Called only when it is needed.
    refuse: Callable[[], Refusal]
    end: WaitEnd | None = None
    reached: Arrival | None = None
    is_answered: bool = False

    def take(self, arrivals: Iterable[Arrival]) -> bool:
        """Handle new events. True if the wait is over."""
        latest = None
        for arrival in arrivals:
            if arrival.sequence <= self.after:
                continue
            latest = arrival
            if arrival.status in self.statuses:
                self.reached, self.end = arrival, WaitEnd.REACHED
                return True
        if latest is None:
            return False
        self.after = latest.sequence
        if is_out_of_reach(latest.status, self.statuses):
            self.end = WaitEnd.UNREACHABLE
        return self.end is not None


def is_out_of_reach(status: str, wanted: Collection[str]) -> bool:
    return reachable_from(status).isdisjoint(wanted)


class WaitedDetails(InstanceDetails):
    """The instance as it is now, and what the waiting came to."""

    reached: bool = Field(description="whether a status asked for was reached")
    waitResult: Annotated[str, OneOf([str(end) for end in WaitEnd])] = Field(
        description="reached; timeout and shutdown: ask again; unreachable: it never will be"
    )
    sequence: int = Field(
        description="of the event that reached it, else of the latest: the next after_sequence"
    )
    reachedStatus: str | None = Field(None, description="it may have moved on since")

    @classmethod
    def of(  # type: ignore[override]
        cls, details: InstanceDetails, sequence: int, end: WaitEnd, reached: Arrival | None
    ) -> Self:
        return cls(
            **dict(details),
            reached=end is WaitEnd.REACHED,
            waitResult=str(end),
            sequence=reached.sequence if reached else sequence,
            reachedStatus=reached.status if reached else None,
        )


def answer_wait(sink: Connection, answer: WaitedDetails) -> None:
    body = json.dumps(answer.as_json(), separators=(",", ":")).encode()
    sink.begin(len(body))
    sink.write(body)
    sink.close()


def refuse_wait(sink: Connection, refusal: Refusal) -> None:
    sink.begin(len(refusal.body), refusal.status)
    sink.write(refusal.body)
    sink.close()


@dataclass(eq=False, slots=True)
class Stream:
    """All events of a project after ``cursor``, filtered by instance and types."""

    project_id: int
    api_key_id: int
    cursor: Key
    # Id from which a client resumes if it loses its connection before the first event.
    first_id: str
    instance_id: int | None = None
    types: frozenset[str] | None = None

    def begin(self, sink: Connection) -> None:
        sink.begin(None)
        # Clients save an id without data, but do not report an event.
        sink.write(f"retry: {RETRY_MILLISECONDS}\nid: {self.first_id}\n\n".encode())

    def take(self, rows: Iterable[StreamRow], sink: Connection) -> None:
        """Send new events up to the first that is not final."""
        frames = []
        for row in rows:
            if not row.is_final:
                break
            if row.key > self.cursor:
                self.cursor = row.key
                if self._wants(row):
                    frames.append(row.frame)
        if frames:
            sink.write(b"".join(frames))

    def _wants(self, row: StreamRow) -> bool:
        return (self.instance_id is None or row.instance_id == self.instance_id) and (
            self.types is None or row.type in self.types
        )


Client = Wait | Stream


def is_stalled(sink: Connection, seconds: float) -> bool:
    """Whether the client's send buffer has been full for more than ``seconds``."""
    return sink.full_since is not None and time.monotonic() - sink.full_since > seconds
