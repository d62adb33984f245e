"""flock(2) on small files: a count of users that stays right after every crash.

The kernel drops a flock when the last descriptor of the open file is closed, however its process
ended. Children made by fork share the open file and so the lock; programs started by exec do not,
since Python opens every file close-on-exec (PEP 446).
"""

import fcntl
import os
import time
from pathlib import Path

POLL_SECONDS = 0.02


def open_private(path: Path, flags: int) -> int:
    """Open a file of the data folder; create it with mode 0600 if needed.

    If root works in another user's data folder, that user becomes the owner of new files and can
    open them later. Symbolic links are refused: that user could point one at a file of root's.
    """
    flags |= os.O_NOFOLLOW
    try:
        created = os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return os.open(path, flags)
    owner = path.parent.stat()
    if owner.st_uid != os.geteuid():
        os.fchown(created, owner.st_uid, owner.st_gid)
    return created


class FileLock:
    """One open lock file. Never blocks: callers poll, so that they can have a deadline."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._fd = open_private(path, os.O_RDWR)

    def try_shared(self) -> bool:
        return self._try(fcntl.LOCK_SH)

    def try_exclusive(self) -> bool:
        return self._try(fcntl.LOCK_EX)

    def wait_exclusive(self, deadline: float) -> bool:
        """Poll until held; False when `deadline` (monotonic seconds) passes first."""
        while not self.try_exclusive():
            if time.monotonic() > deadline:
                return False
            time.sleep(POLL_SECONDS)
        return True

    def is_current(self) -> bool:
        """True if the path still names this file: a lock on a deleted file protects nothing."""
        try:
            return os.path.samestat(os.fstat(self._fd), self.path.stat())
        except FileNotFoundError:
            return False

    def write(self, text: str) -> None:
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, os.fsencode(text), 0)

    def release(self) -> None:
        fcntl.flock(self._fd, fcntl.LOCK_UN)

    def close(self) -> None:
        os.close(self._fd)

    def _try(self, kind: int) -> bool:
        try:
            fcntl.flock(self._fd, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


def is_held(path: Path) -> bool:
    """True if some process holds the lock exclusively.

    The check itself holds the lock for a moment; so a process that wants the lock must try more
    than once.
    """
    if not path.exists():
        return False
    lock = FileLock(path)
    try:
        return not lock.try_shared()
    finally:
        lock.close()
