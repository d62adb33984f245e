"""Public ids: unguessable, prefixed with what they name, safe in URLs and file names."""

import secrets


def new_public_id(prefix: str) -> str:
    """``inst`` becomes ``inst_9f…``: 96 random bits, so that ids cannot be guessed."""
    return f"{prefix}_{secrets.token_hex(12)}"
