"""Copies an observation onto the row, and saves many rows at once."""

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from django.db import connection

from instances.lifecycle import addresses, charges, credentials
from instances.models import Instance
from instances.monitoring import absence
from instances.monitoring.observation import Observation
from upstream.facts import Fact

# Columns that an observation may change, with their Postgres types.
OBSERVED_COLUMNS = {
    "upstream_status": "text",
    "upstream_changed_at": "timestamptz",
    "started_at": "timestamptz",
    "absence_seen_at": "timestamptz",
    "expires_at": "timestamptz",
    "billing_since": "timestamptz",
    "closed_cost_e5_usd": "bigint",
    "price_e5_usd": "bigint",
    "cluster_id": "text",
    "spot_status": "text",
    "spot_noticed_at": "timestamptz",
    "spot_reclaim_at": "timestamptz",
    "spot_past_at": "timestamptz",
    "trouble_code": "text",
    "trouble_message": "text",
    "trouble_since": "timestamptz",
    "trouble_looks": "int",
    "trouble_told": "jsonb",
    "probe_error": "text",
    "has_details": "boolean",
    "details_seen_at": "timestamptz",
    "details_missing_since": "timestamptz",
    "details_doubt": "text",
    "port_mappings": "jsonb",
    "connection": "jsonb",
}
_JSON = ("port_mappings", "connection", "trouble_told")


def apply(instance: Instance, observation: Observation, now: datetime) -> None:
    """Copy status, price, charge and addresses of an observation. Saves nothing.

    Facts that the answer does not contain stay. ``upstream_seen_at`` is set last: the changes
    happened between that time and now.
    """
    seen = observation.seen
    assert seen is not None  # noqa: S101 - absence is noted elsewhere
    absence.note_observation(instance, now=now)
    if Fact.STATUS in seen.facts:
        if instance.upstream_status != seen.status:
            instance.upstream_status = seen.status
            instance.upstream_changed_at = now
        charges.note(instance, seen, now=now)
    if seen.is_running:
        addresses.merge(instance, seen, is_by_id=observation.has_details, now=now)
    elif seen.status in addresses.OUT_OF_REACH:
        addresses.forget(instance)
    instance.upstream_seen_at = now


def observed_values(instance: Instance) -> tuple[object, ...]:
    """Values that an observation may change; compared to avoid a write without a change."""
    return tuple(getattr(instance, name) for name in OBSERVED_COLUMNS)


def save_observations(
    changed: Sequence[Instance], seen: Sequence[Instance], *, now: datetime
) -> None:
    """Save the observations of a whole list in two statements, and access data in a third."""
    if changed:
        _save_changed(changed)
    keep_access({*changed, *seen}, now=now)
    Instance.objects.filter(pk__in=[instance.pk for instance in seen]).update(upstream_seen_at=now)


def keep_access(instances: Iterable[Instance], *, now: datetime) -> None:
    """Seal and save the access data from gets by id."""
    found = {each: each.seen_access for each in instances if each.seen_access is not None}
    if found:
        credentials.take(found, now=now)


# Raw SQL: Django's bulk_update builds a CASE for each row and field, and was the slowest part when
# two hundred instances came to run at once.
_SAVE_CHANGED = f"""
UPDATE instances_instance i SET {", ".join(f"{name} = n.{name}" for name in OBSERVED_COLUMNS)}
FROM unnest(%s::bigint[], {", ".join(f"%s::{kind}[]" for kind in OBSERVED_COLUMNS.values())})
    AS n(id, {", ".join(OBSERVED_COLUMNS)})
WHERE i.id = n.id
"""  # noqa: S608 - constants


def _save_changed(changed: Sequence[Instance]) -> None:
    columns = [[_column(instance, name) for instance in changed] for name in OBSERVED_COLUMNS]
    with connection.cursor() as cursor:
        cursor.execute(_SAVE_CHANGED, [[instance.pk for instance in changed], *columns])


def _column(instance: Instance, name: str) -> Any:
    value = getattr(instance, name)
    return json.dumps(value) if name in _JSON else value
