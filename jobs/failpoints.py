"""Named lines at which the fault suite lets a process die, as by kill -9.

``CRASH_POINTS`` names a folder. A process that reaches ``crashpoint("create.after_post")`` while
the folder holds a file of that name removes the file and is gone; whoever removes it first dies,
so that one file is one death. A file that says ``freeze`` stops the process there instead, until
somebody sends it SIGCONT. Without the variable, or in production, a point is one comparison.
"""

import os
import signal
from collections.abc import Callable
from pathlib import Path

VARIABLE = "CRASH_POINTS"
FREEZE = "freeze"


class CrashedHereError(BaseException):
    """A simulated death: nothing may catch it but the simulation that asked for it."""


def _folder() -> Path | None:
    if os.environ.get("NOVITAI_ENV") == "production":
        return None
    path = os.environ.get(VARIABLE)
    return Path(path) if path else None


_FOLDER = _folder()
# What decides instead of the folder, in simulations of a whole service within one process: it
# raises CrashedHereError where the process would have died.
_simulated: Callable[[str], None] | None = None


def simulate(decide: Callable[[str], None] | None) -> None:
    """Hand every point of this process to ``decide``; None gives them back."""
    global _simulated
    _simulated = decide


def crashpoint(name: str) -> None:
    """Die here if somebody asked for it."""
    if _simulated is not None:
        _simulated(name)
    if _FOLDER is not None:
        _die_if_asked(_FOLDER / name)


def _die_if_asked(order: Path) -> None:
    try:
        is_frozen = order.read_text() == FREEZE
        order.unlink()
    except FileNotFoundError:
        return
    os.kill(os.getpid(), signal.SIGSTOP if is_frozen else signal.SIGKILL)
