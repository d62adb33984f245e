"""`python -m devtools.launcher run` and `... demo`; the Makefile calls them."""

import argparse
import os
import sys

from devtools.launcher.demo import demo
from devtools.launcher.errors import LaunchError
from devtools.launcher.run import run
from devtools.launcher.stack import say


def main() -> int:
    """Run one command; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m devtools.launcher", description=__doc__)
    parser.add_argument("command", choices=("run", "demo"))
    arguments = parser.parse_args()
    # Keys and logs: no other user of this machine may read the files written here or by the parts.
    os.umask(0o077)
    try:
        return (run if arguments.command == "run" else demo)(os.environ)
    except LaunchError as error:
        say(f"\n{error}")
        return 1


if __name__ == "__main__":
    sys.exit(main())
