"""Data that the promises are checked with: our database, Novita's ledger, received webhooks."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol, Self

from devtools.simulator.control import InstanceTruth
from devtools.simulator.world.timeline import REMOVAL
from instances.novita.name_signing import NameSigner

Row = Mapping[str, Any]
BLIND_AFTERWARDS_MS = 30_000

_TABLES = {
    "instances": "instances_instance",
    "events": "instances_instanceevent",
    "deliveries": """(
        SELECT d.id, m.public_id, m.body::jsonb AS payload, i.id AS instance_id,
            e.id AS event_id, d.status, d.last_error, d.ended_at, p.is_enabled
        FROM webhooks_delivery d
        JOIN webhooks_message m ON m.id = d.message_id
        JOIN webhooks_endpoint p ON p.id = d.endpoint_id AND p.kind = 'instance'
        JOIN instances_instance i ON i.public_id = m.subject
        JOIN instances_instanceevent e ON e.public_id = m.body::jsonb ->> 'eventId'
    )""",
    "endings": "instances_upstreamending",
    "jobs": "jobs_job",
}


class Cursor(Protocol):
    """The methods that cursors of psycopg and of Django have in common."""

    def execute(self, query: Any, params: Any = None, /) -> Any: ...

    def fetchall(self) -> list[Any]: ...


@dataclass(frozen=True, slots=True)
class Ledger:
    """Our rows in the order of their ids, and the database's time.

    Whole rows, so that a suite of one release can read the database of another; times are ISO 8601.
    """

    now: datetime
    signer: NameSigner | None
    instances: Sequence[Row] = ()
    events: Sequence[Row] = ()
    deliveries: Sequence[Row] = ()
    endings: Sequence[Row] = ()
    jobs: Sequence[Row] = ()

    @classmethod
    def load(cls, cursor: Cursor, opened: Callable[[str], str]) -> Self:
        """Load all rows; in one snapshot if the caller's transaction provides it. ``opened``
        decrypts a sealed text.
        """
        cursor.execute("SELECT clock_timestamp()")
        ((now,),) = cursor.fetchall()
        installations = _rows(cursor, "instances_installation")
        signer = (
            NameSigner(installations[0]["installation_id"], opened(installations[0]["signing_key"]))
            if installations
            else None
        )
        return cls(now, signer, **{name: _rows(cursor, table) for name, table in _TABLES.items()})

    def events_of(self) -> dict[int, list[Row]]:
        """Events by the id of their instance, in the order of their numbers."""
        return _grouped(self.events, "instance_id", order="sequence")

    def deliveries_of(self) -> dict[int, list[Row]]:
        return _grouped(self.deliveries, "instance_id", order="id")

    def held(self) -> dict[str, str]:
        """Upstream ids that our rows hold as alive, each with a description of the row."""
        found = {
            row["upstream_id"]: describe(row)
            for row in self.instances
            if row["upstream_id"] and row["upstream_gone_at"] is None
        }
        still_ending = {
            row["upstream_id"]: f"open ending {row['upstream_id']}"
            for row in self.endings
            if not row["confirmed_at"]
        }
        return still_ending | found


def describe(row: Row) -> str:
    """Short description of an instance."""
    return f"{row['public_id']} ({row['name']}, {row['status']})"


def _rows(cursor: Cursor, table: str) -> list[Row]:
    cursor.execute(f"SELECT to_jsonb(t) FROM {table} t ORDER BY id")  # noqa: S608 - constants
    # Django's connections return JSON as text, those of psycopg parse it.
    return [json.loads(row) if isinstance(row, str) else row for (row,) in cursor.fetchall()]


def _grouped(rows: Iterable[Row], key: str, *, order: str) -> dict[int, list[Row]]:
    groups: dict[int, list[Row]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: row[order]):
        groups[row[key]].append(row)
    return groups


@dataclass(frozen=True, slots=True)
class Message:
    """A received webhook. ``verified``: "ok", the signature's error, or None if not checked."""

    message_id: str
    body: Mapping[str, Any]
    is_accepted: bool
    verified: str | None = None

    @classmethod
    def parse(cls, delivery: Mapping[str, Any]) -> Self:
        """A delivery from ``devtools.simulator.control.ReceiverControl.deliveries``."""
        return cls(
            message_id=delivery["headers"].get("webhook-id", ""),
            body=json.loads(delivery["body"]),
            is_accepted=200 <= delivery["status"] < 300,
            verified=delivery["verified"],
        )


@dataclass(frozen=True, slots=True)
class Delete:
    """A delete that was sent to Novita, with any result."""

    upstream_id: str
    at_ms: int

    @classmethod
    def all_of(cls, calls: Iterable[Mapping[str, Any]]) -> list[Self]:
        """The deletes among a ledger's calls."""
        return [
            cls(call["instanceId"], call["realMs"])
            for call in calls
            if call["path"].endswith("/gpu/instance/delete")
        ]


@dataclass(frozen=True, slots=True)
class Truth:
    """The facts: every instance ever made upstream, and all received webhooks in order.

    ``accepted``: instance ids that callers got with a 2xx. ``asked``: ids that callers asked to
    end, answered or not, with the first time. ``start_seconds``: the shortest time after which the
    service may fail a start only for its duration. ``blind``: periods in which GET by id answered
    not-found for existing instances.
    """

    instances: Sequence[InstanceTruth]
    messages: Sequence[Message] = ()
    accepted: Sequence[str] = ()
    deletes: Sequence[Delete] = ()
    asked: Mapping[str, int] = field(default_factory=dict)
    start_seconds: float = 0.0
    blind: Sequence[tuple[int, int]] = ()

    def is_blind_at(self, at_ms: float) -> bool:
        """True during blindness and shortly after it: an observation is told a moment later."""
        return any(begin <= at_ms <= end + BLIND_AFTERWARDS_MS for begin, end in self.blind)


def is_ours(made: InstanceTruth, ledger: Ledger) -> bool:
    """True if it was made through the API, with a name that this installation signed."""
    signed = ledger.signer is not None and ledger.signer.reference_in(made.name) is not None
    return made.origin == "api" and signed


def end_ms(made: InstanceTruth) -> int | None:
    """Time at which its end began."""
    ends = (at_ms for at_ms, status in made.raw.get("phases", ()) if status in REMOVAL)
    return next(ends, made.removed_ms)
