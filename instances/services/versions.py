"""If-Match, If-None-Match: nobody changes what they have not seen, or what they exclude."""

from instances.domain.errors import VersionMismatch
from instances.domain.types import VersionPrecondition
from instances.models import Instance


def check_version(instance: Instance, versions: VersionPrecondition) -> None:
    """Raises VersionMismatch. Only with the row locked does the answer hold until the write."""
    if not versions.allow(instance.version):
        raise VersionMismatch(instance.public_id)
