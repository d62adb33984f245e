"""Counters that all processes add to; /api/metrics reads them."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from decimal import Decimal

from django.db import connection

from instances.novita.calls import CallRecord

Key = tuple[str, tuple[tuple[str, str], ...]]


def add(counts: Mapping[Key, Decimal | int]) -> None:
    """Add to many counters in one statement, in one order, so that adders cannot deadlock."""
    if not counts:
        return
    rows = sorted((name, json.dumps(dict(labels), sort_keys=True)) for name, labels in counts)
    values = [counts[(name, tuple(sorted(json.loads(labels).items())))] for name, labels in rows]
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO instances_tally (name, labels, value)
            SELECT * FROM unnest(%s::text[], %s::jsonb[], %s::numeric[])
            ON CONFLICT (name, labels) DO UPDATE SET value = instances_tally.value + EXCLUDED.value
            """,
            [[name for name, _ in rows], [labels for _, labels in rows], values],
        )


def key(name: str, **labels: str) -> Key:
    return name, tuple(sorted(labels.items()))


def of_calls(calls: Iterable[CallRecord]) -> Counter[Key]:
    """Upstream calls by endpoint and outcome, and the seconds they took."""
    counts: Counter[Key] = Counter()
    for call in calls:
        labels = {"endpoint": call.endpoint, "outcome": str(call.outcome)}
        counts[key("upstream_calls_total", **labels)] += 1
        seconds = key("upstream_call_seconds_total", endpoint=call.endpoint)
        counts[seconds] += Decimal(str(round(call.seconds, 6)))  # type: ignore[assignment]
    return counts
