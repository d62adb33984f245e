"""Runs one of Postgres' programs against the service's database: `with_database.py pg_dump ...`.

The database is DATABASE_URL's (or DATABASE_URL_FILE's), else the embedded one of DATA_DIR, which
runs meanwhile. How to connect is handed on in a service file (libpq's PGSERVICEFILE) that only its
owner reads: a process list shows arguments, and a password must not stand there.
"""

import os
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

sys.path.insert(0, os.fspath(Path(__file__).resolve().parent.parent))

from psycopg import Error
from psycopg.conninfo import conninfo_to_dict

from devtools.embedded_postgres import EmbeddedPostgresError, ensure_running
from devtools.embedded_postgres.binaries import bin_folder


def main() -> int:
    """Return the program's exit code, or 1 with a message."""
    try:
        parameters = conninfo_to_dict(_url())
    except (Error, EmbeddedPostgresError, OSError) as error:
        sys.stderr.write(f"{type(error).__name__}: {str(error).splitlines()[0]}\n")
        return 1
    with tempfile.NamedTemporaryFile("w", suffix=".conf") as service:
        service.write("[novitai]\n")
        service.writelines(f"{name}={value}\n" for name, value in parameters.items())
        service.flush()
        return subprocess.call(sys.argv[1:], env=_environment(service.name))


def _url() -> str:
    if url := os.environ.get("DATABASE_URL"):
        return url
    if file := os.environ.get("DATABASE_URL_FILE"):
        return Path(file).read_text().strip()
    return ensure_running(Path(os.environ["DATA_DIR"]) / "postgres").url


def _environment(service_file: str) -> dict[str, str]:
    """Without the secret itself, and with the programs of the wheel before those of the machine:
    a server is dumped by its own version or a newer one.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    kept.pop("DATABASE_URL", None)
    # Without the wheel the machine's own programs are taken.
    with suppress(EmbeddedPostgresError):
        kept["PATH"] = f"{bin_folder()}{os.pathsep}{kept.get('PATH', os.defpath)}"
    return {**kept, "PGSERVICEFILE": service_file, "PGSERVICE": "novitai"}


if __name__ == "__main__":
    sys.exit(main())
