"""Applies a template to a request: probed port, root disk, notes. Pure: no database, no network."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from instances.domain.enums import FailureCode
from instances.domain.types import DEFAULT_ROOTFS_GB, Failure, InstanceRequest
from upstream.types import Template

# Novita provides SSH to every instance, even if the template does not publish the port.
SSH_PORT = 22


def probe_failure(template: Template, probe: Mapping[str, Any]) -> Failure | None:
    """Failure if no port of the template can answer the readiness probe (empty: no probe)."""
    ports = {each.port for each in template.ports} | {each.port for each in template.tools}
    if not probe or probe["port"] in {*ports, SSH_PORT}:
        return None
    published = ", ".join(map(str, sorted(ports))) or "none"
    message = (
        f"The readiness probe uses port {probe['port']}, but template {template.id} publishes "
        f"{published}, so it could never pass."
    )
    return Failure(FailureCode.PROBE_PORT_NOT_PUBLISHED, message)


def sized(spec: InstanceRequest, template: Template) -> InstanceRequest:
    """A request without a size gets the default or the template's size, whichever is larger."""
    if not spec.has_default_rootfs or template.rootfs_size_gb <= spec.rootfs_size_gb:
        return spec
    return replace(spec, rootfs_size_gb=template.rootfs_size_gb)


def notes_on(template: Template, spec: InstanceRequest) -> list[tuple[str, str, str]]:
    """Notes on the template for the caller: code, sentence, field of the request."""
    asked, found = spec.rootfs_size_gb, template.rootfs_size_gb
    notes = []
    if not spec.has_default_rootfs and asked < found:
        text = (
            f"Template {template.id} requires {found} GB of root disk; the request has {asked} GB."
        )
        notes.append(("ROOTFS_BELOW_TEMPLATE", text, "rootfsSize"))
    if spec.has_default_rootfs and found > DEFAULT_ROOTFS_GB:
        text = f"The root disk gets {found} GB, as template {template.id} requires."
        notes.append(("ROOTFS_OF_TEMPLATE", text, "rootfsSize"))
    for name in template.unused:
        text = (
            f"{name} of template {template.id} are not used: the instance is created without them."
        )
        notes.append(("TEMPLATE_FIELD_UNUSED", text, "templateId"))
    if template.type.lower() == "serverless":
        text = f"Template {template.id} is meant for serverless endpoints, not for instances."
        notes.append(("TEMPLATE_IS_SERVERLESS", text, "templateId"))
    return notes
