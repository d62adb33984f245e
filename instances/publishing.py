"""Which ports of an instance its template lets the world reach. Pure: no database, no network."""

from collections.abc import Mapping
from typing import Any

from instances.choices import FailureCode
from instances.novita.types import Template
from instances.types import Failure

# Novita gives every instance a way in by SSH, whether its template opens the port or not.
SSH_PORT = 22


def probe_failure(template: Template, probe: Mapping[str, Any]) -> Failure | None:
    """Why a readiness probe (empty: there is none) could never pass, as far as that is certain."""
    ports = {each.port for each in template.ports} | {each.port for each in template.tools}
    if not probe or probe["port"] in {*ports, SSH_PORT}:
        return None
    published = ", ".join(map(str, sorted(ports))) or "none"
    message = (
        f"The readiness probe asks port {probe['port']}, and template {template.id} publishes "
        f"{published}: it would never pass."
    )
    return Failure(FailureCode.PROBE_PORT_NOT_PUBLISHED, message)
