"""Secrets from where no process list shows them."""

from __future__ import annotations

import os
from pathlib import Path


def secret(given: str, path: str | None, variable: str) -> str:
    """From the argument if there is one, else from the file, else from the environment."""
    if given:
        return given
    if path:
        return Path(path).read_text().strip()
    return os.environ.get(variable, "")
