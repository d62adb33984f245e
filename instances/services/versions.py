"""Checks the preconditions If-Match and If-None-Match."""

from instances.domain.errors import VersionMismatch
from instances.domain.types import VersionPrecondition
from instances.models import Instance


def check_version(instance: Instance, versions: VersionPrecondition) -> None:
    """Raises VersionMismatch. Valid until the write only if the row is locked."""
    if not versions.allow(instance.version):
        raise VersionMismatch(instance.public_id)
