"""Merges the addresses of an instance (ports, connect blocks, access) from observations.

A get by id is authoritative for the facts that it contains. A list only adds what is unknown; where
a list shows another address, a get by id is due. Other values stay until the instance stops,
migrates or starts again.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from instances.catalogue.ports import SSH_PORT
from instances.lifecycle import credentials
from instances.models import Instance
from upstream.facts import Fact
from upstream.types import PortMapping, UpstreamInstance

JUPYTER_PORT = 8888
# With these words of Novita, all addresses known so far are invalid.
OUT_OF_REACH = frozenset(
    {"exited", "freezing", "migrating"}
    | {"pending", "toCreate", "creating", "pulling", "toStart", "starting"}
    | {"toRestart", "restarting", "toReset", "resetting"}
)
# The monitor job looks for missing addresses for PATIENCE; the reconciler then ever more rarely.
PATIENCE = timedelta(minutes=2)
SOONEST = timedelta(seconds=10)
# Age at which complete addresses are read again: a list without addresses shows no change.
REFRESH = timedelta(hours=1)

_SSH_COMMAND = re.compile(r"ssh(?:\s+-p\s*(?P<port>\d+))?\s+(?P<target>[\w.@:-]+)")
_HOST_AND_PORT = re.compile(r"[\w.@-]+:\d+")

Ports = Sequence[Mapping[str, Any]]


def merge(instance: Instance, seen: UpstreamInstance, *, is_by_id: bool, now: datetime) -> None:
    """Merge the addresses of an observation of a running instance. Saves nothing.

    Access is put into ``instance.seen_access`` (no column).
    """
    known = instance.port_mappings
    if Fact.PORTS in seen.facts:
        instance.port_mappings = _merged_ports(known, seen.port_mappings, is_by_id=is_by_id)
    instance.connection = _merged_connection(
        instance.connection, known, instance.port_mappings, seen, is_by_id=is_by_id
    )
    if is_by_id:
        instance.has_details = True
        instance.details_seen_at = now
        instance.seen_access = seen
        is_missing = not are_complete(instance)
        instance.details_missing_since = (
            (instance.details_missing_since or now) if is_missing else None
        )


def forget(instance: Instance) -> None:
    """Delete all addresses and access; the ports stay. For a stop, a migration or a new start."""
    if not is_anything_known(instance):
        return
    instance.port_mappings = [{**each, "endpoint": ""} for each in instance.port_mappings]
    instance.connection = {}
    instance.has_details = False
    instance.details_seen_at = instance.details_missing_since = None
    instance.details_doubt = ""
    instance.seen_access = None
    credentials.forget(instance)


def is_anything_known(instance: Instance) -> bool:
    has_endpoints = any(each.get("endpoint") for each in instance.port_mappings)
    return instance.has_details or bool(instance.connection) or has_endpoints


def are_complete(instance: Instance) -> bool:
    """Whether every port has an address and SSH access is known."""
    is_published = all(each["endpoint"] for each in instance.port_mappings)
    return is_published and "ssh" in instance.connection


def is_monitoring_needed(instance: Instance) -> bool:
    """Whether the monitor job must go on: no get by id yet, or addresses missing for < PATIENCE."""
    since, seen_at = instance.details_missing_since, instance.details_seen_at
    is_patient = since is not None and seen_at is not None and seen_at - since < PATIENCE
    return not instance.has_details or is_patient


def doubt(instance: Instance, seen: UpstreamInstance, *, place: str) -> bool:
    """Whether a list shows other addresses than the known ones, or ``place`` names another place.

    True once for each difference: it is stored as a digest, so that a list that always differs
    costs one get by id and not one in every pass.
    """
    other = (*_contradictions(instance.port_mappings, seen), *filter(None, [place]))
    digest = hashlib.sha256(repr(other).encode()).hexdigest()[:16] if other else ""
    if not other or digest == instance.details_doubt:
        return False
    instance.details_doubt = digest
    return True


def are_due(instance: Instance, now: datetime) -> bool:
    """Whether a get by id is due for a running instance.

    Every REFRESH; while addresses are missing, at intervals that double from SOONEST to REFRESH.
    """
    seen_at, since = instance.details_seen_at, instance.details_missing_since
    if not instance.has_details or seen_at is None:
        return True
    pause = REFRESH if since is None else min(max(seen_at - since, SOONEST), REFRESH)
    return now - seen_at >= pause


def ssh_url(text: str) -> str:
    """This API's form of an address: ``ssh -p 3278 root@host`` or ``host:3278`` to ``ssh://…``."""
    command = _SSH_COMMAND.fullmatch(text.strip())
    if command is not None:
        return f"ssh://{command['target']}:{command['port'] or SSH_PORT}"
    return f"ssh://{text}" if _HOST_AND_PORT.fullmatch(text) else text


def _merged_ports(
    known: Ports, told: Sequence[PortMapping], *, is_by_id: bool
) -> list[dict[str, Any]]:
    """The ports of a get by id replace the known ones; a list adds ports and missing endpoints."""
    merged = [_merged_port(_find(known, each), each, is_by_id=is_by_id) for each in told]
    if is_by_id:
        return merged
    by_key = {(each["port"], each["type"]): each for each in merged}
    kept = [dict(by_key.pop((each["port"], each["type"]), each)) for each in known]
    return kept + list(by_key.values())


def _merged_port(
    known: Mapping[str, Any] | None, told: PortMapping, *, is_by_id: bool
) -> dict[str, Any]:
    before = known["endpoint"] if known else ""
    is_taken = told.endpoint is not None if is_by_id else not before
    kind = told.type or (known["type"] if known else "")
    return {"port": told.port, "endpoint": told.address if is_taken else before, "type": kind}


def _find(known: Ports, told: PortMapping) -> Mapping[str, Any] | None:
    """The known port with the same number and type; without a type on one side, by number only."""
    same = [each for each in known if each["port"] == told.port]
    alike = (each for each in same if each["type"] == told.type)
    untyped = (each for each in same if not told.type or not each["type"])
    return next(alike, None) or next(untyped, None)


def _merged_connection(
    known: Mapping[str, str],
    ports_before: Ports,
    ports: Ports,
    seen: UpstreamInstance,
    *,
    is_by_id: bool,
) -> dict[str, str]:
    """The connect blocks, or addresses derived from the ports while no block is known."""
    before, after = _by_ports(ports_before), _by_ports(ports)
    merged = {}
    for fact, address in _blocks(seen).items():
        name = fact.value
        # An address derived from the ports changes with the ports.
        block = known.get(name, "") if known.get(name) != before.get(name) else ""
        if fact in seen.facts and (is_by_id or not block):
            block = address
        merged[name] = block or after.get(name, "")
    return {name: address for name, address in merged.items() if address}


def _blocks(seen: UpstreamInstance) -> dict[Fact, str]:
    """Addresses without their query, which may contain an access token."""
    return {
        Fact.SSH: ssh_url(seen.ssh_command),
        Fact.JUPYTER: _without_query(seen.jupyter_url),
        Fact.WEB_TERMINAL: _without_query(seen.web_terminal_url),
    }


def _by_ports(ports: Ports) -> dict[str, str]:
    endpoints = {each["port"]: each["endpoint"] for each in ports}
    return {
        "ssh": ssh_url(endpoints.get(SSH_PORT, "")),
        "jupyter": _without_query(endpoints.get(JUPYTER_PORT, "")),
    }


def _contradictions(known: Ports, seen: UpstreamInstance) -> list[tuple[int, str, str]]:
    other = []
    for told in seen.port_mappings if Fact.PORTS in seen.facts else ():
        match = _find(known, told)
        if told.address and (match is None or match["endpoint"] not in ("", told.address)):
            other.append((told.port, told.type, told.address))
    return sorted(other)


def _without_query(address: str) -> str:
    return re.split(r"[?#]", address, maxsplit=1)[0]
