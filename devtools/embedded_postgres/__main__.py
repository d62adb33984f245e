"""`python -m devtools.embedded_postgres {status,url,stop} DATA_DIR`, for launchers and people.

`status` and `url` never start a server; they exit with 3 if none runs, as systemctl status does.
"""

import argparse
import sys
from pathlib import Path

from devtools.embedded_postgres import EmbeddedPostgresError, find_running, stop

_NOT_RUNNING = 3


def main() -> int:
    """Run one command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m devtools.embedded_postgres")
    parser.add_argument("command", choices=("status", "url", "stop"))
    parser.add_argument("data_dir", type=Path)
    arguments = parser.parse_args()
    if arguments.command == "stop":
        try:
            stop(arguments.data_dir)
        except EmbeddedPostgresError as error:
            sys.exit(str(error))
        return 0
    info = find_running(arguments.data_dir)
    if arguments.command == "status":
        sys.stdout.write(f"running: {info.url}\n" if info else "stopped\n")
    elif info:
        sys.stdout.write(f"{info.url}\n")
    return 0 if info else _NOT_RUNNING


if __name__ == "__main__":
    sys.exit(main())
