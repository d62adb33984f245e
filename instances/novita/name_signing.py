"""Upstream names that carry their own proof of origin: ``<slug>-<installation>-<reference>-<mac>``.

The upstream has no idempotency key and does not dedupe names, so the name is the only thing by
which a create whose answer was lost can be found again. The MAC says that this installation made
it: what does not verify is never touched.
"""

import hashlib
import hmac
import re
from dataclasses import dataclass

SLUG_LENGTH = 40
MAC_LENGTH = 10
_NAME = re.compile(r"(?:(.*)-)?([0-9a-f]{8})-([0-9a-f]{20})-([0-9a-f]{10})")


@dataclass(frozen=True, slots=True)
class NameSigner:
    """How this installation signs: its public id and its secret key."""

    installation_id: str
    signing_key: str

    def name(self, wished_name: str, reference: str) -> str:
        """The upstream name of an instance, of [a-z0-9-] only."""
        slug = re.sub(r"[^a-z0-9]+", "-", wished_name.lower()).strip("-")[:SLUG_LENGTH].strip("-")
        tail = f"{self.installation_id}-{reference}-{self._mac(reference, slug)}"
        return f"{slug}-{tail}" if slug else tail

    def reference_in(self, upstream_name: str) -> str | None:
        """The reference in a name that this installation signed; None for anybody else's."""
        match = _NAME.fullmatch(upstream_name)
        if match is None:
            return None
        slug, installation_id, reference, mac = match.groups(default="")
        # Names of earlier releases are signed without their readable part.
        signed = (self._mac(reference, slug), self._mac(reference, ""))
        is_ours = any(hmac.compare_digest(mac, each) for each in signed)
        return reference if is_ours and installation_id == self.installation_id else None

    @property
    def search_word(self) -> str:
        """What the upstream's loose name filter finds all of this installation's instances by."""
        return self.installation_id

    def _mac(self, reference: str, slug: str) -> str:
        """The whole name is signed: one that was copied with another beginning is not ours."""
        text = f"{self.installation_id}:{reference}:{slug}".rstrip(":").encode()
        digest = hmac.new(bytes.fromhex(self.signing_key), text, hashlib.sha256)
        return digest.hexdigest()[:MAC_LENGTH]
