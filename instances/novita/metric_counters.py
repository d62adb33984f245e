"""Metric counters in the database, increased by all processes and read by /api/metrics."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from decimal import Decimal

from django.db import connection

from upstream.call_records import CallRecord

Key = tuple[str, tuple[tuple[str, str], ...]]
Counts = Mapping[Key, Decimal]


def add(counts: Counts) -> None:
    """Increase many counters in one statement, in sorted order, so that writers do not deadlock."""
    if not counts:
        return
    rows = sorted((name, json.dumps(dict(labels)), counts[name, labels]) for name, labels in counts)
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO instances_tally (name, labels, value)
            SELECT * FROM unnest(%s::text[], %s::jsonb[], %s::numeric[])
            ON CONFLICT (name, labels) DO UPDATE SET value = instances_tally.value + EXCLUDED.value
            """,
            [[row[0] for row in rows], [row[1] for row in rows], [row[2] for row in rows]],
        )


def count(name: str, **labels: str) -> None:
    """Increase one counter by one."""
    add({key(name, **labels): Decimal(1)})


def key(name: str, **labels: str) -> Key:
    return name, tuple(sorted(labels.items()))


def of_calls(calls: Iterable[CallRecord]) -> Counts:
    """Calls to Novita by endpoint and outcome, their seconds, and fields with unreadable values."""
    counts: dict[Key, Decimal] = defaultdict(Decimal)
    for call in calls:
        outcome = str(call.outcome)
        counts[key("upstream_calls_total", endpoint=call.endpoint, outcome=outcome)] += 1
        seconds = key("upstream_call_seconds_total", endpoint=call.endpoint)
        counts[seconds] += Decimal(str(round(call.seconds, 6)))
        for field in {unknown.field for unknown in call.unknown_values}:
            counts[key("upstream_unknown_values_total", field=field)] += 1
    return counts
