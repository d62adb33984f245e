"""Copying what a look showed onto the row, and saving many rows at once."""

import json
import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import connection

from instances import billing, credentials
from instances.models import Instance
from instances.novita.types import PortMapping, UpstreamInstance
from instances.publishing import SSH_PORT
from instances.watching.looks import Sighting

JUPYTER_PORT = 8888
_SSH_COMMAND = re.compile(r"ssh(?:\s+-p\s*(?P<port>\d+))?\s+(?P<target>[\w.@:-]+)")
_HOST_AND_PORT = re.compile(r"[\w.@-]+:\d+")

# What a look may change, with the Postgres types that carry it.
NOTED = {
    "upstream_status": "text",
    "upstream_changed_at": "timestamptz",
    "started_at": "timestamptz",
    "absence_seen_at": "timestamptz",
    "expires_at": "timestamptz",
    "billing_since": "timestamptz",
    "closed_cost_e5_usd": "bigint",
    "price_e5_usd": "bigint",
    "spot_reclaim_at": "timestamptz",
    "probe_error": "text",
    "has_details": "boolean",
    "port_mappings": "jsonb",
    "connection": "jsonb",
}
_JSON = ("port_mappings", "connection")


def take(instance: Instance, sighting: Sighting, now: datetime) -> None:
    """Note what is there: its word, its price, what is charged, how to get in. Saves nothing.

    ``upstream_seen_at`` moves on last: what changed did so between that look and this one.
    """
    seen = sighting.seen
    assert seen is not None  # noqa: S101 - absence is noted elsewhere
    instance.absence_seen_at = None
    if instance.upstream_status != seen.status:
        instance.upstream_status = seen.status
        instance.upstream_changed_at = now
    billing.note(instance, seen, now=now)
    if seen.is_running:
        instance.port_mappings = [_port(mapping) for mapping in seen.port_mappings]
        instance.connection = _connection(seen)
        instance.has_details = instance.has_details or sighting.has_details
        if sighting.has_details:
            # Beside the row, for ``save_notes``.
            instance.seen_access = seen.access
    instance.upstream_seen_at = now


def noted(instance: Instance) -> tuple[object, ...]:
    """What a look may change; most looks change nothing, and then nothing is written."""
    return tuple(getattr(instance, name) for name in NOTED)


def save_notes(changed: Sequence[Instance], seen: Sequence[Instance], *, now: datetime) -> None:
    """Two statements for a whole listing, however many instances it showed; and one for what
    single looks brought of access.
    """
    if changed:
        _save_noted(changed)
    found = {each: each.seen_access for each in {*changed, *seen} if each.seen_access is not None}
    if found:
        credentials.keep(found, now=now)
    Instance.objects.filter(pk__in=[instance.pk for instance in seen]).update(upstream_seen_at=now)


# By hand: Django's bulk_update builds a CASE for every row and field, which took longer than all
# else when two hundred instances came to run at once.
_SAVE_NOTED = f"""
UPDATE instances_instance i SET {", ".join(f"{name} = n.{name}" for name in NOTED)}
FROM unnest(%s::bigint[], {", ".join(f"%s::{kind}[]" for kind in NOTED.values())})
    AS n(id, {", ".join(NOTED)})
WHERE i.id = n.id
"""  # noqa: S608 - constants


def _save_noted(changed: Sequence[Instance]) -> None:
    columns = [[_column(instance, name) for instance in changed] for name in NOTED]
    with connection.cursor() as cursor:
        cursor.execute(_SAVE_NOTED, [[instance.pk for instance in changed], *columns])


def _column(instance: Instance, name: str) -> Any:
    value = getattr(instance, name)
    return json.dumps(value) if name in _JSON else value


def _port(mapping: PortMapping) -> dict[str, Any]:
    return {"port": mapping.port, "endpoint": mapping.address, "type": mapping.type}


def _connection(seen: UpstreamInstance) -> dict[str, str]:
    """The connect blocks, or what the ports tell while those are not read. Never a secret: an
    address may carry an access token in its query, which is cut off.
    """
    by_port = {mapping.port: mapping.address for mapping in seen.port_mappings}
    found = {
        "ssh": ssh_url(seen.ssh_command or by_port.get(SSH_PORT, "")),
        "jupyter": _without_query(seen.jupyter_url or by_port.get(JUPYTER_PORT, "")),
        "webTerminal": _without_query(seen.web_terminal_url),
    }
    return {name: address for name, address in found.items() if address}


def ssh_url(text: str) -> str:
    """``ssh -p 32787 root@host`` and ``host:32787`` become ``ssh://…``, the form of this API."""
    command = _SSH_COMMAND.fullmatch(text.strip())
    if command is not None:
        return f"ssh://{command['target']}:{command['port'] or SSH_PORT}"
    return f"ssh://{text}" if _HOST_AND_PORT.fullmatch(text) else text


def _without_query(address: str) -> str:
    return re.split(r"[?#]", address, maxsplit=1)[0]
