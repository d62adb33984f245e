"""Those who wait: what each asked for, and what it makes of news. No I/O but into its sink."""

import json
import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus
from typing import Any

from instances.domain.enums import reachable_from
from instances.streaming.connections import Connection
from instances.streaming.queries import Arrival, Key, StreamRow

RETRY_MILLISECONDS = 2000


class WaitEnd(StrEnum):
    """Why a wait was answered."""

    REACHED = "reached"
    TIMEOUT = "timeout"
    # No way leads from where the instance is to any status asked for.
    UNREACHABLE = "unreachable"
    # This process stops; ask again.
    SHUTDOWN = "shutdown"


@dataclass(frozen=True, slots=True)
class Refusal:
    """The answer to a wait whose API key was revoked or has expired meanwhile."""

    status: HTTPStatus
    body: bytes


@dataclass(eq=False, slots=True)
class Wait:
    """Waits until an event after ``after`` brings the instance to one of ``statuses``."""

    project_id: int
    api_key_id: int
    instance_id: int
    statuses: frozenset[str]
    after: int
    deadline: float
    # Made when it is needed.
    refuse: Callable[[], Refusal]
    end: WaitEnd | None = None
    reached: Arrival | None = None
    is_answered: bool = False

    def take(self, arrivals: Iterable[Arrival]) -> bool:
        """Whether the waiting is over."""
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


def wait_answer(
    details: dict[str, Any], sequence: int, end: WaitEnd, reached: Arrival | None
) -> dict[str, Any]:
    """The instance as it is now, and what the waiting came to."""
    return {
        **details,
        "reached": end is WaitEnd.REACHED,
        "waitResult": str(end),
        "sequence": reached.sequence if reached else sequence,
        **({"reachedStatus": reached.status} if reached else {}),
    }


def answer_wait(sink: Connection, answer: dict[str, Any]) -> None:
    body = json.dumps(answer, separators=(",", ":")).encode()
    sink.begin(len(body))
    sink.write(body)
    sink.close()


def refuse_wait(sink: Connection, refusal: Refusal) -> None:
    sink.begin(len(refusal.body), refusal.status)
    sink.write(refusal.body)
    sink.close()


@dataclass(eq=False, slots=True)
class Stream:
    """Every event of a project behind ``cursor``, narrowed to an instance and to types."""

    project_id: int
    api_key_id: int
    cursor: Key
    # What a client that loses its connection before the first event resumes from.
    first_id: str
    instance_id: int | None = None
    types: frozenset[str] | None = None

    def begin(self, sink: Connection) -> None:
        sink.begin(None)
        # An id without data is kept by clients and shown to nobody.
        sink.write(f"retry: {RETRY_MILLISECONDS}\nid: {self.first_id}\n\n".encode())

    def take(self, rows: Iterable[StreamRow], sink: Connection) -> None:
        """Send what is settled and new; nothing behind a row that is not settled."""
        frames = []
        for row in rows:
            if not row.is_settled:
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
    """Whether a client has not taken what it was sent for so long."""
    return sink.full_since is not None and time.monotonic() - sink.full_since > seconds
