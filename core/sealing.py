"""Encryption ("sealing") of secrets in the database.

Fernet (AES-128-CBC with HMAC-SHA-256) of the cryptography package; its MultiFernet seals with the
first key and opens with any, which is what a rotation needs. Without CREDENTIALS_KEYS the key is
made from SECRET_KEY, and stays among the keys that open, as do those of SECRET_KEY_PREVIOUS, so
that each of them can be introduced or replaced later.
"""

import base64
from collections.abc import Sequence
from functools import lru_cache

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

# Prefix that distinguishes encrypted values from values that an earlier release stored as text.
PREFIX = "sealed:"
_PURPOSE = b"novitai credentials of instances"


class Unreadable(Exception):
    """The value was encrypted with a key that is not configured."""

    def __init__(self) -> None:
        super().__init__(
            "A secret in the database was encrypted with a key that is not configured. Add the key"
            " to CREDENTIALS_KEYS or SECRET_KEY_PREVIOUS"
        )


def seal(text: str) -> str:
    return PREFIX + sealer().encrypt(text.encode()).decode()


def is_sealed(text: str) -> bool:
    return text.startswith(PREFIX)


def unseal(text: str) -> str:
    """Decrypt a value; a plain one is returned unchanged. Raises Unreadable."""
    return unsealed_with(sealer(), text)


def unsealed_with(keys: MultiFernet, text: str) -> str:
    if not is_sealed(text):
        return text
    try:
        return keys.decrypt(text.removeprefix(PREFIX).encode()).decode()
    except InvalidToken:
        raise Unreadable from None


def sealer() -> MultiFernet:
    """The cipher with the configured keys."""
    configured = settings.CONFIG.credentials_keys
    words = configured.get_secret_value().split(",") if configured is not None else []
    secrets = (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    return sealer_of(tuple(word.strip() for word in words if word.strip()), secrets)


@lru_cache(maxsize=16)
def sealer_of(keys: tuple[str, ...], secret_keys: Sequence[str]) -> MultiFernet:
    """Cached: deriving a key costs more than a decryption."""
    return MultiFernet(
        [
            *(Fernet(key.encode()) for key in keys),
            *(derived_key(key, _PURPOSE) for key in secret_keys),
        ]
    )


def derived_key(secret_key: str, purpose: bytes) -> Fernet:
    """A key of its own for each purpose: what is sealed for one is not opened for another."""
    derived = HKDF(algorithm=SHA256(), length=32, salt=None, info=purpose)
    return Fernet(base64.urlsafe_b64encode(derived.derive(secret_key.encode())))
