"""If-Match, If-None-Match: nobody changes what they have not seen, or what they exclude."""

from instances.errors import VersionMismatch
from instances.models import Instance
from instances.types import Versions


def check_version(instance: Instance, versions: Versions) -> None:
    """Raises VersionMismatch. Only with the row locked does the answer hold until the write."""
    if not versions.allow(instance.version):
        raise VersionMismatch(instance.public_id)
