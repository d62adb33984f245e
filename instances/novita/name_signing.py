"""Signs instance names at Novita: ``<slug>-<installation>-<reference>-<mac>``.

Novita has no idempotency key and allows equal names: only its name finds a create whose answer was
lost. The MAC proves that this installation made the GPU; others are never changed.
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
    """Signs and verifies names with the installation's public id and secret key."""

    installation_id: str
    signing_key: str

    def name(self, chosen_name: str, reference: str) -> str:
        """Name at Novita for an instance; consists of [a-z0-9-]."""
        slug = re.sub(r"[^a-z0-9]+", "-", chosen_name.lower()).strip("-")[:SLUG_LENGTH].strip("-")
        tail = f"{self.installation_id}-{reference}-{self._mac(reference, slug)}"
        return f"{slug}-{tail}" if slug else tail

    def reference_in(self, upstream_name: str) -> str | None:
        """The reference in a name that this installation signed, else None."""
        match = _NAME.fullmatch(upstream_name)
        if match is None:
            return None
        slug, installation_id, reference, mac = match.groups(default="")
        # Earlier releases signed without the slug.
        signed = (self._mac(reference, slug), self._mac(reference, ""))
        is_ours = any(hmac.compare_digest(mac, each) for each in signed)
        return reference if is_ours and installation_id == self.installation_id else None

    @property
    def search_word(self) -> str:
        """Word for Novita's name filter that matches all names of this installation."""
        return self.installation_id

    def _mac(self, reference: str, slug: str) -> str:
        """MAC over the whole name: the same reference with another slug is not valid."""
        text = f"{self.installation_id}:{reference}:{slug}".rstrip(":").encode()
        digest = hmac.new(bytes.fromhex(self.signing_key), text, hashlib.sha256)
        return digest.hexdigest()[:MAC_LENGTH]
