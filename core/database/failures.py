"""Causes of database failures: one table for answers, log lines and health.

An error with an SQLSTATE is classified by it. Errors before a session exists have none (libpq gives
only the text), so they are classified by the server's English message.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

import psycopg
from django.db import InterfaceError, OperationalError


class Cause(StrEnum):
    """Causes, with the names used in health, metrics and log lines."""

    BUSY = "busy"
    SILENT = "silent"
    UNREACHABLE = "unreachable"
    LOST = "lost"
    STARTING = "starting"
    REFUSED = "refused"
    TOO_MANY_CONNECTIONS = "too_many_connections"
    FORBIDDEN = "forbidden"
    READ_ONLY = "read_only"
    FULL = "full"
    POOLER = "pooler"
    UNSUITABLE = "unsuitable"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Failure:
    """words: for people. ends_session: this session must be closed; another one may succeed."""

    words: str
    ends_session: bool = True


FAILURES: dict[Cause, Failure] = {
    Cause.BUSY: Failure("The database is busy: a statement waited too long.", ends_session=False),
    Cause.SILENT: Failure("The database does not answer."),
    Cause.UNREACHABLE: Failure("The service cannot reach its database."),
    Cause.LOST: Failure("The connection to the database was ended."),
    Cause.STARTING: Failure("The database is starting, stopping or recovering."),
    Cause.REFUSED: Failure("The database refuses the service's connection."),
    Cause.TOO_MANY_CONNECTIONS: Failure("The database has no free connection left."),
    Cause.FORBIDDEN: Failure(
        "The database role of the service lacks a privilege that it needs (GRANT).",
        ends_session=False,
    ),
    Cause.READ_ONLY: Failure("The database is read-only."),
    Cause.FULL: Failure("The database has no space left.", ends_session=False),
    Cause.POOLER: Failure(
        "The connection pooler in front of the database does not match the configuration"
        " (DATABASE_POOLER)."
    ),
    Cause.UNSUITABLE: Failure(
        "The service cannot use this database: its version, encoding or settings do not fit."
    ),
    Cause.FAILED: Failure("The database reports an unexpected error."),
}


# Exceptions that Django raises if the server is gone, refuses the session, or is too slow.
TROUBLE = (OperationalError, InterfaceError)


class DatabaseUnusable(OperationalError):
    """An error that Django classifies differently, and that means that the database or the session
    cannot be used.

    For Django, a read-only transaction is an InternalError and a lost prepared statement a
    ProgrammingError. As an OperationalError they are handled like a lost database.
    """


class NoAnswer(psycopg.OperationalError):
    """The server did not answer within the service's own time limit."""


class Unsuitable(psycopg.OperationalError):
    """The service cannot use this session; the text says what to change."""

    cause = Cause.UNSUITABLE


class BehindPooler(Unsuitable):
    """A connection pooler is in between, in another mode than DATABASE_POOLER names."""

    cause = Cause.POOLER


_BY_STATE = {
    "25006": Cause.READ_ONLY,
    "42501": Cause.FORBIDDEN,
    "53100": Cause.FULL,
    "53200": Cause.FAILED,
    "53300": Cause.TOO_MANY_CONNECTIONS,
    "55P03": Cause.BUSY,
    "57014": Cause.BUSY,
    "40001": Cause.BUSY,
    "40P01": Cause.BUSY,
    "57P01": Cause.LOST,
    "57P02": Cause.LOST,
    "57P03": Cause.STARTING,
    "57P04": Cause.REFUSED,
    "57P05": Cause.LOST,
    "25P03": Cause.LOST,
    "25P04": Cause.LOST,
    "26000": Cause.POOLER,
    "42P05": Cause.POOLER,
    "3D000": Cause.REFUSED,
}
_BY_STATE_CLASS = {"08": Cause.LOST, "28": Cause.REFUSED, "58": Cause.FAILED, "XX": Cause.FAILED}
# The first match counts.
_BY_WORDS = tuple(
    (re.compile(pattern, re.IGNORECASE), cause)
    for pattern, cause in (
        (r"too many (clients|connections)|connection slots", Cause.TOO_MANY_CONNECTIONS),
        (r"no more connections|query_wait_timeout", Cause.TOO_MANY_CONNECTIONS),
        (r"cannot connect to server|server login has been failing", Cause.UNREACHABLE),
        (r"unsupported startup parameter|pgbouncer|pooler", Cause.POOLER),
        (r"read-only|hot standby|TransactionIds during recovery", Cause.READ_ONLY),
        (r"not currently accepting connections", Cause.REFUSED),
        (r"starting up|shutting down|recovery|not (yet )?accepting connections", Cause.STARTING),
        (r"no space left", Cause.FULL),
        (r"timeout expired|timed out", Cause.SILENT),
        (r"closed the connection|connection is (lost|closed)|terminating connection", Cause.LOST),
        (r"authentication|password|pg_hba|permission denied|does not exist", Cause.REFUSED),
        (r"not permitted to log in|\bSSL\b|certificate|\bTLS\b", Cause.REFUSED),
    )
)


def cause_of(error: BaseException | None) -> Cause | None:
    """The cause of an error of the driver or of Django; None if it is no database failure."""
    while error is not None and not isinstance(error, psycopg.Error):
        if error.__cause__ is None:
            return Cause.UNREACHABLE if isinstance(error, TROUBLE) else None
        error = error.__cause__
    return _cause_of_driver(error) if isinstance(error, psycopg.Error) else None


def words_of(cause: Cause) -> str:
    """The message of a cause, for people."""
    return FAILURES[cause].words


def _cause_of_driver(error: psycopg.Error) -> Cause | None:
    if isinstance(error, Unsuitable):
        return error.cause
    if isinstance(error, (NoAnswer, psycopg.errors.ConnectionTimeout)):
        return Cause.SILENT
    state = error.sqlstate
    if state == "XX000":
        return Cause.READ_ONLY if "during recovery" in str(error) else None
    if state:
        known = _BY_STATE.get(state) or _BY_STATE_CLASS.get(state[:2])
        return _by_words(error, known) if known is Cause.LOST else known
    if isinstance(error, psycopg.InterfaceError):
        return Cause.LOST
    return (
        _by_words(error, Cause.UNREACHABLE) if isinstance(error, psycopg.OperationalError) else None
    )


def _by_words(error: psycopg.Error, otherwise: Cause) -> Cause:
    text = str(error)
    return next((cause for pattern, cause in _BY_WORDS if pattern.search(text)), otherwise)
