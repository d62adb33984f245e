"""State of the database as seen by this process: one log line per change, and a counter.

unusable -> usable: by any answer if the server could not be reached; by a committed write if only
writes were refused.
"""

import threading
import time

import structlog
from prometheus_client import Counter

from core.database.failures import FAILURES, Cause

logger = structlog.get_logger(__name__)

# With these causes reads may succeed, so only a committed write proves that they are over.
_ENDED_BY_WRITES = frozenset({Cause.READ_ONLY, Cause.FULL, Cause.FORBIDDEN, Cause.FAILED})
_TEXT_LENGTH = 300

_failures = Counter(
    "novitai_database_failures", "Statements and connections that failed, by cause.", ("cause",)
)
_lock = threading.Lock()
_cause: Cause | None = None
_since = 0.0


def note_trouble(cause: Cause, error: BaseException) -> None:
    """Count a failure, and log it once until the cause changes.

    A statement that waited too long is not logged: some statements have short limits on purpose.
    """
    global _cause, _since
    if cause is Cause.BUSY:
        return
    _failures.labels(cause.value).inc()
    with _lock:
        # A lost session is logged only if no other cause is known: it adds nothing to that.
        if cause is _cause or (cause is Cause.LOST and _cause is not None):
            return
        if _cause is None:
            _since = time.monotonic()
        _cause = cause
    logger.error(
        "database_unusable",
        cause=cause.value,
        words=FAILURES[cause].words,
        error=_text(error),
        sqlstate=getattr(error, "sqlstate", None),
    )


def is_in_trouble() -> bool:
    return _cause is not None


def note_answer() -> None:
    """Note that the server accepted a connection or answered."""
    if _cause is not None and _cause not in _ENDED_BY_WRITES:
        _tell_end()


def note_write() -> None:
    """Note that a write was committed."""
    if _cause is not None:
        _tell_end()


def _tell_end() -> None:
    global _cause
    with _lock:
        ended, _cause = _cause, None
    if ended is not None:
        seconds = round(time.monotonic() - _since, 1)
        logger.warning("database_usable_again", cause=ended.value, seconds=seconds)


def _text(error: BaseException) -> str:
    """The server's message in one line. It may name users and hosts, never passwords."""
    return " ".join(str(error).split())[:_TEXT_LENGTH]
