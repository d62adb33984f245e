"""Signatures per Standard Webhooks 1.0.0: symmetric (v1) and asymmetric (v1a).

A receiver verifies v1 with any library of that specification, and v1a with any implementation of
ed25519 (RFC 8032). The signature is over the exact bytes that are sent: serialise once.
"""

from __future__ import annotations

import base64
import binascii
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from standardwebhooks import Webhook

_SHARED_PREFIX = "whsec_"
_PRIVATE_PREFIX, _PUBLIC_PREFIX = "whsk_", "whpk_"
_MESSAGE_ID = re.compile(r"[A-Za-z0-9_-]{1,255}")
_MIN_BYTES, _MAX_BYTES, _NEW_BYTES = 16, 64, 32


@dataclass(frozen=True, slots=True)
class SigningKey:
    """What signs messages: `scheme` is v1 or v1a. Its repr does not show the key."""

    scheme: str
    _raw: bytes = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> SigningKey:
        """whsec_ and the base64 of 16 to 64 bytes, or whsk_ and the base64 of 32.

        The specification asks for at least 24; shorter ones are in use and cannot be refused.
        Decoded strictly: of a pass phrase, the library would sign with the few bytes that happen
        to be base64. Raises ValueError; its text does not contain the key.
        """
        if text.startswith(_PRIVATE_PREFIX):
            return cls("v1a", _decoded(text, _PRIVATE_PREFIX, range(_NEW_BYTES, _NEW_BYTES + 1)))
        return cls("v1", _decoded(text, _SHARED_PREFIX, range(_MIN_BYTES, _MAX_BYTES + 1)))

    @property
    def public_text(self) -> str:
        """whpk_ and the base64 of the public key. Raises ValueError for v1, which has none."""
        if self.scheme != "v1a":
            raise ValueError("a shared secret has no public key")
        raw = self._private_key().public_key().public_bytes_raw()
        return _PUBLIC_PREFIX + base64.b64encode(raw).decode()

    def sign(self, message_id: str, moment: datetime, text: str) -> str:
        """One signature with its scheme in front. `moment` is in UTC."""
        if self.scheme == "v1":
            return Webhook(self._raw).sign(message_id, moment, text)
        signed = f"{message_id}.{int(moment.timestamp())}.{text}".encode()
        return "v1a," + base64.b64encode(self._private_key().sign(signed)).decode()

    def _private_key(self) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(self._raw)


def _decoded(text: str, prefix: str, sizes: range) -> bytes:
    encoded = text.removeprefix(prefix)
    try:
        raw = base64.b64decode(encoded, validate=True) if encoded != text else b""
    except (binascii.Error, ValueError):
        raw = b""
    if len(raw) not in sizes:
        raise ValueError("a signing secret is not usable")
    return raw


def generate_secret() -> str:
    """A new shared secret (v1), to be shown to its owner once."""
    return _SHARED_PREFIX + base64.b64encode(secrets.token_bytes(_NEW_BYTES)).decode()


def generate_v1a_key() -> str:
    """A new ed25519 key: whsk_ and the base64 of its 32 bytes. It never leaves the service."""
    return _PRIVATE_PREFIX + base64.b64encode(secrets.token_bytes(_NEW_BYTES)).decode()


def public_key_of(key: str) -> str:
    """The public key of a v1a key: whpk_ and the base64 of its 32 bytes. Raises ValueError."""
    return SigningKey.parse(key).public_text


def is_usable_secret(text: str) -> bool:
    """True if the text is a shared secret that can sign: see `SigningKey.parse`."""
    try:
        return SigningKey.parse(text).scheme == "v1"
    except ValueError:
        return False


def signed_headers(
    secret: str,
    message_id: str,
    body: bytes,
    now: datetime,
    *,
    also_sign_with: Sequence[str] = (),
) -> dict[str, str]:
    """The three headers of one attempt. The id stays the same on a retry, `now` does not.

    `also_sign_with` holds the previous keys while a rotation lasts, of either scheme; the
    signatures stand in one header, with spaces between. Raises ValueError for a naive `now`, an
    unusable key, an id that makes the signed text ambiguous, and a body that is not UTF-8.
    """
    if now.tzinfo is None:
        raise ValueError("now must be an aware datetime")
    if not _MESSAGE_ID.fullmatch(message_id):
        raise ValueError(f"not a message id: {message_id!r}")
    keys = [SigningKey.parse(each) for each in (secret, *also_sign_with)]
    # The library replaces the time zone instead of converting, so it must get UTC.
    moment = now.astimezone(UTC)
    text = body.decode()
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": " ".join(key.sign(message_id, moment, text) for key in keys),
    }
