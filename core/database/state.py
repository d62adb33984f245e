"""What this process knows of its database: one log line per change of state, and a counter.

unusable -> usable: by an answer of the server where it was out of reach, by a write that was
committed where only writes were refused.
"""

import threading
import time

import structlog
from prometheus_client import Counter

from core.database.failures import FAILURES, Cause

logger = structlog.get_logger(__name__)

# Reads may succeed meanwhile, so that only a write proves that they are over.
_ENDED_BY_WRITES = frozenset({Cause.READ_ONLY, Cause.FULL, Cause.FORBIDDEN, Cause.FAILED})
_TEXT_LENGTH = 300

_failures = Counter(
    "novitai_database_failures", "Statements and connections that failed, by cause.", ("cause",)
)
_lock = threading.Lock()
_cause: Cause | None = None
_since = 0.0


def note_trouble(cause: Cause, error: BaseException) -> None:
    """Count it, and tell of it once, until the cause is another.

    A statement that waits too long is none: some are meant to give up soon.
    """
    global _cause, _since
    if cause is Cause.BUSY:
        return
    _failures.labels(cause.value).inc()
    with _lock:
        # An ended session is told by itself only: it says nothing new of a database in trouble.
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
    """The server has taken a connection, or answered on one."""
    if _cause is not None and _cause not in _ENDED_BY_WRITES:
        _tell_end()


def note_write() -> None:
    """Something was written and committed."""
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
    """The server's own words in one line. They name users and hosts, never passwords."""
    return " ".join(str(error).split())[:_TEXT_LENGTH]
