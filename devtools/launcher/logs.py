"""Log files of the parts: a new one per start, limited in size; errors are shown to the user."""

import re
import shutil
from pathlib import Path

LIMIT_BYTES = 10_000_000
# The beginnings of log records: Django's two formats, Postgres's.
_RECORD = re.compile(r"\d{4}-\d\d-\d\d|\{")
_SERIOUS = re.compile(r'\[(error|critical)\s*\]|"level": ?"(error|critical)"', re.IGNORECASE)


def fresh_log(path: Path) -> Path:
    """Create an empty log; the one of the last start is kept as NAME.log.1."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if path.exists():
        path.replace(path.with_suffix(".log.1"))
    path.touch(mode=0o600)
    return path


def tail(path: Path, lines: int = 20) -> str:
    """The last lines, for a message about a part that failed."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - 16_384))
            text = file.read().decode("utf-8", "replace")
    except FileNotFoundError:
        return ""
    return "\n".join(text.splitlines()[-lines:])


class LogFollower:
    """Reads the lines that were added to a log since the last call, and limits the file's size."""

    def __init__(self, path: Path, *, limit_bytes: int = LIMIT_BYTES) -> None:
        self._path = path
        self._limit_bytes = limit_bytes
        self._offset = 0
        self._is_serious = False

    def new_errors(self) -> list[str]:
        """Lines of records at level error or above, including the tracebacks below them."""
        return [line for line in self._new_lines() if self._belongs_to_error(line)]

    def _new_lines(self) -> list[str]:
        with self._path.open("rb") as file:
            file.seek(self._offset)
            text = file.read()
        # An incomplete line is left for the next call.
        complete = text[: text.rfind(b"\n") + 1]
        self._offset += len(complete)
        if self._offset > self._limit_bytes:
            self._start_anew()
        return complete.decode("utf-8", "replace").splitlines()

    def _belongs_to_error(self, line: str) -> bool:
        if _RECORD.match(line):
            self._is_serious = bool(_SERIOUS.search(line))
        elif line.startswith("Traceback "):
            self._is_serious = True
        return self._is_serious

    def _start_anew(self) -> None:
        """Copy and truncate: the writer appends, so it goes on at the new beginning."""
        shutil.copy(self._path, self._path.with_suffix(".log.1"))
        with self._path.open("rb+") as file:
            file.truncate()
        self._offset = 0
