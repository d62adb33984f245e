"""Runs the readiness probe of a running instance; part of monitor_instance."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from instances.catalogue.ports import SSH_PORT
from instances.lifecycle.addresses import ssh_url
from instances.models import Instance
from instances.monitoring import Observation, readiness
from upstream.types import UpstreamInstance
from webhooks.limits import allowed_networks


@dataclass(frozen=True, slots=True)
class Probe:
    """The requested probe (``readinessProbe``), and the addresses known so far."""

    wanted: Mapping[str, Any]
    addresses: Mapping[int, str]


def probe_of(instance: Instance) -> Probe | None:
    if not instance.readiness_probe:
        return None
    known = {each["port"]: each["endpoint"] for each in instance.port_mappings}
    return Probe(instance.readiness_probe, _with_ssh(known, instance.connection.get("ssh", "")))


def ask(
    probe: Probe | None, upstream_ids: Sequence[str], observations: Mapping[str, Observation]
) -> dict[str, str]:
    """Error of the probe by Novita's id, "" if it passed; the newest address is used.

    Empty without a probe, or if the instance does not run.
    """
    if probe is None:
        return {}
    (upstream_id,) = upstream_ids
    seen = observations[upstream_id].seen if upstream_id in observations else None
    if upstream_id in observations and (seen is None or not seen.is_running):
        return {}
    addresses = _addresses(seen) if seen else {}
    error = readiness.check(
        probe.wanted, addresses or probe.addresses, allowed_networks=allowed_networks()
    )
    return {upstream_id: error}


def _addresses(seen: UpstreamInstance) -> dict[int, str]:
    found = {each.port: each.address for each in seen.port_mappings}
    return _with_ssh(found, ssh_url(seen.ssh_command))


def _with_ssh(addresses: dict[int, str], ssh: str) -> dict[int, str]:
    """Adds port 22 from the SSH command, if the ports lack its address."""
    is_wanting = bool(ssh) and not addresses.get(SSH_PORT)
    return {**addresses, SSH_PORT: ssh} if is_wanting else addresses
