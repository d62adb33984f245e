"""`python -m devtools.launcher run` and `python -m launcher demo`; the Makefile calls them."""

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
    # Keys and logs: nobody else on this machine may read what we or the parts write.
    os.umask(0o077)
    try:
        return (run if arguments.command == "run" else demo)(os.environ)
    except LaunchError as error:
        say(f"\n{error}")
        return 1


if __name__ == "__main__":
    sys.exit(main())
