"""Named lines at which the fault suite kills the process, as with kill -9.

``CRASH_POINTS`` names a folder. A process that reaches ``failpoint("create.after_post")`` while
the folder has a file of that name removes the file and dies. Only the process that removed it dies,
so one file is one death. If the file contains ``freeze``, the process stops there until it gets a
SIGCONT. Without the variable, or in production, a failpoint costs one comparison.
"""

import os
import signal
from collections.abc import Callable
from pathlib import Path

VARIABLE = "CRASH_POINTS"
FREEZE = "freeze"


class CrashedHereError(BaseException):
    """A simulated death: only the simulation that asked for it may catch it."""


def _folder() -> Path | None:
    if os.environ.get("NOVITAI_ENV") == "production":
        return None
    path = os.environ.get(VARIABLE)
    return Path(path) if path else None


_FOLDER = _folder()
# Replaces the folder when a simulation runs a whole service in one process: it raises
# CrashedHereError where the process would have died.
_simulated: Callable[[str], None] | None = None


def simulate(decide: Callable[[str], None] | None) -> None:
    """Call ``decide`` at every failpoint of this process; None ends that."""
    global _simulated
    _simulated = decide


def failpoint(name: str) -> None:
    """Die here if this failpoint is requested."""
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
