"""Signatures per Standard Webhooks 1.0.0 (symmetric, v1).

A receiver verifies with any library of that specification. The signature is over the exact bytes
that are sent: serialise once.
"""

from __future__ import annotations

import base64
import binascii
import re
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from standardwebhooks import Webhook

_PREFIX = "whsec_"
_PRIVATE_PREFIX, _PUBLIC_PREFIX = "whsk_", "whpk_"
_KEY_BYTES = 32
_MESSAGE_ID = re.compile(r"[A-Za-z0-9_-]{1,255}")
_MIN_BYTES, _MAX_BYTES, _NEW_BYTES = 16, 64, 32


def generate_secret() -> str:
    """A new signing secret, to be shown to its owner once."""
    return _PREFIX + base64.b64encode(secrets.token_bytes(_NEW_BYTES)).decode()


def is_usable_secret(text: str) -> bool:
    """True if the text is whsec_ and the base64 of 16 to 64 bytes.

    The specification asks for at least 24; shorter ones are in use and cannot be refused. Checked
    here because the library decodes leniently: of a pass phrase, it would sign with the few bytes
    that happen to be base64.
    """
    encoded = text.removeprefix(_PREFIX)
    if encoded == text:
        return False
    try:
        key = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        return False
    return _MIN_BYTES <= len(key) <= _MAX_BYTES


def generate_v1a_key() -> str:
    """A new ed25519 key: whsk_ and the base64 of its 32 bytes (RFC 8032)."""
    return _PRIVATE_PREFIX + base64.b64encode(secrets.token_bytes(_KEY_BYTES)).decode()


def public_key_of(key: str) -> str:
    """The public key of a v1a key: whpk_ and the base64 of its 32 bytes. Raises ValueError."""
    raw = _private_key(key).public_key().public_bytes_raw()
    return _PUBLIC_PREFIX + base64.b64encode(raw).decode()


def _private_key(key: str) -> Ed25519PrivateKey:
    encoded = key.removeprefix(_PRIVATE_PREFIX)
    raw = base64.b64decode(encoded, validate=True) if encoded != key else b""
    if len(raw) != _KEY_BYTES:
        raise ValueError("a v1a key is whsk_ and the base64 of 32 bytes")
    return Ed25519PrivateKey.from_private_bytes(raw)


def _signature(key: str, message_id: str, moment: datetime, text: str) -> str:
    """One signature with its scheme, by the prefix of the key."""
    if not key.startswith(_PRIVATE_PREFIX):
        return Webhook(key).sign(message_id, moment, text)
    signed = f"{message_id}.{int(moment.timestamp())}.{text}".encode()
    return "v1a," + base64.b64encode(_private_key(key).sign(signed)).decode()


def signed_headers(
    secret: str,
    message_id: str,
    body: bytes,
    now: datetime,
    *,
    also_sign_with: Sequence[str] = (),
) -> dict[str, str]:
    """The three headers of one attempt. The id stays the same on a retry, `now` does not.

    `also_sign_with` holds the previous secrets while a rotation lasts. Raises ValueError for a
    naive `now`, an unusable secret, an id that makes the signed text ambiguous, and a body that is
    not UTF-8.
    """
    if now.tzinfo is None:
        raise ValueError("now must be an aware datetime")
    if not _MESSAGE_ID.fullmatch(message_id):
        raise ValueError(f"not a message id: {message_id!r}")
    all_secrets = (secret, *also_sign_with)
    shared = [each for each in all_secrets if not each.startswith(_PRIVATE_PREFIX)]
    if not all(map(is_usable_secret, shared)):
        raise ValueError("a signing secret is not usable")
    # The library replaces the time zone instead of converting, so it must get UTC.
    moment = now.astimezone(UTC)
    text = body.decode()
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": " ".join(
            _signature(each, message_id, moment, text) for each in all_secrets
        ),
    }
