"""Reads secrets from sources that no process list shows."""

from __future__ import annotations

import os
from pathlib import Path


def secret(given: str, path: str | None, variable: str) -> str:
    """The argument if it is given, else the file's content, else the environment variable."""
    if given:
        return given
    if path:
        return Path(path).read_text().strip()
    return os.environ.get(variable, "")
