"""Queries for waiting clients, each for many clients at once.

Streams are ordered by (xid, id): ids are assigned before the commit, so a reader by id alone would
miss rows that commit late. Rows are not final, and are read again later, while an older
transaction may be open. A wait uses the instance's own sequence, which has no gaps.
"""

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.db import connection

from accounts.models import ApiKey
from core.clock import database_now
from core.database.transaction_ids import FINAL_BEFORE
from instances.lifecycle.representation import Event, InstanceDetails
from instances.models import Instance, InstanceEvent

PAGE = 200
# Position of an event in a stream: transaction id, event id.
Key = tuple[int, int]
BEGINNING: Key = (0, 0)


@dataclass(frozen=True, slots=True)
class StreamRow:
    """An event for streams; ``frame``: the bytes to send."""

    project_id: int
    key: Key
    instance_id: int
    type: str
    is_final: bool
    frame: bytes


@dataclass(frozen=True, slots=True)
class Arrival:
    """An event that changed an instance's status."""

    instance_id: int
    sequence: int
    status: str


def events_after(cursors: Mapping[int, Key]) -> list[StreamRow]:
    """One page of events after each project's key, in order; ``is_final`` is set on each."""
    projects = sorted(cursors)
    parameters = {
        "projects": projects,
        "xids": [str(cursors[project][0]) for project in projects],
        "ids": [cursors[project][1] for project in projects],
        "page": PAGE,
    }
    return [_stream_row(event) for event in InstanceEvent.objects.raw(_EVENTS_AFTER, parameters)]


_EVENTS_AFTER = f"""
SELECT e.*, instance.public_id AS instance_public_id
FROM unnest(%(projects)s::bigint[], %(xids)s::text[], %(ids)s::bigint[]) AS seen(project, xid, id)
CROSS JOIN LATERAL (
    SELECT event.*, event.xid < {FINAL_BEFORE} AS is_final
    FROM instances_instanceevent event
    WHERE event.project_id = seen.project AND (event.xid, event.id) > (seen.xid::xid8, seen.id)
    ORDER BY event.xid, event.id LIMIT %(page)s
) e
JOIN instances_instance instance ON instance.id = e.instance_id
ORDER BY e.project_id, e.xid, e.id
"""  # noqa: S608 - constants


def _stream_row(event: Any) -> StreamRow:
    told = Event.of(event, event.instance_public_id).as_json()
    text = json.dumps(told, separators=(",", ":"))
    frame = f"id: {event.public_id}\nevent: {event.type}\ndata: {text}\n\n".encode()
    key = (event.xid, event.pk)
    return StreamRow(event.project_id, key, event.instance_id, event.type, event.is_final, frame)


def newest_final(project_id: int) -> tuple[str, Key] | None:
    """Public id and key of the last final event, after which a new stream begins."""
    with connection.cursor() as cursor:
        cursor.execute(_NEWEST_FINAL, [project_id])
        row = cursor.fetchone()
    return row and (row[0], (int(row[1]), row[2]))


_NEWEST_FINAL = f"""
SELECT public_id, xid::text AS written_by, id FROM instances_instanceevent
WHERE project_id = %s AND xid < {FINAL_BEFORE}
ORDER BY xid DESC, id DESC LIMIT 1
"""  # noqa: S608 - constants


def arrivals_after(sequences: Mapping[int, int]) -> list[Arrival]:
    """Changes of status after each instance's sequence, oldest first."""
    with connection.cursor() as cursor:
        cursor.execute(_ARRIVALS_AFTER, [list(sequences), list(sequences.values())])
        return [Arrival(*row) for row in cursor.fetchall()]


_ARRIVALS_AFTER = """
SELECT event.instance_id, event.sequence, event.to_status
FROM unnest(%s::bigint[], %s::bigint[]) AS seen(instance, sequence)
JOIN instances_instanceevent event
    ON event.instance_id = seen.instance AND event.sequence > seen.sequence
WHERE event.to_status <> ''
ORDER BY event.instance_id, event.sequence
"""


def details_of(instance_ids: Collection[int]) -> dict[int, tuple[int, InstanceDetails]]:
    """Each instance's sequence and its details, as they are now."""
    now = database_now()
    rows = Instance.objects.filter(pk__in=instance_ids)
    return {row.pk: (row.sequence, InstanceDetails.of(row, now=now)) for row in rows}


def usable_keys(api_key_ids: Iterable[int]) -> set[int]:
    """Those of these API keys that are neither revoked nor expired."""
    usable = ApiKey.objects.usable().filter(pk__in=set(api_key_ids))
    return set(usable.values_list("pk", flat=True))
