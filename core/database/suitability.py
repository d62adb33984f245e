"""Requirements on a session: settings are set; what cannot be set is refused with a message."""

from collections.abc import Mapping

import psycopg

from core.database.bounds import LONGEST_SECONDS, MARGIN_SECONDS, BoundedConnection
from core.database.failures import BehindPooler, Unsuitable

MINIMUM_VERSION = 140000
# Set by the start-up options (``sessions``); if it is missing, they did not reach the server.
MARKER = "novitai.session"
# The server reports these by itself, so looking at them costs nothing. A pooler in transaction mode
# keeps them for each client.
_REPORTED: Mapping[str, str] = {
    "client_encoding": "UTF8",
    "DateStyle": "ISO",
    "IntervalStyle": "postgres",
    "TimeZone": "UTC",
    "standard_conforming_strings": "on",
}
_OF_SESSION = {
    "lock_timeout": "10s",
    "statement_timeout": "30s",
    "idle_in_transaction_session_timeout": "60s",
    "bytea_output": "hex",
    "extra_float_digits": "1",
    "default_transaction_isolation": "read committed",
    "transform_null_equals": "off",
    "array_nulls": "on",
    MARKER: "1",
}


def prepare_session(connection: BoundedConnection, *, pooler: str | None) -> None:
    """Check and prepare a new session before its first statement. Raises Unsuitable.

    pooler: DATABASE_POOLER; None for an embedded server, which has no pooler.
    """
    check_server(connection)
    for name, wanted in _REPORTED.items():
        if not (connection.info.parameter_status(name) or wanted).startswith(wanted):
            _set(connection, name, wanted)
    if pooler == "session":
        for name, wanted in _OF_SESSION.items():
            _set(connection, name, wanted)
    marker, seconds = _ask(connection)
    if pooler == "none" and not marker:
        raise BehindPooler(
            "the session's start-up options did not reach the server: a connection pooler is in "
            "between. Set DATABASE_POOLER to the mode of the pooler (session or transaction), or "
            "connect to the server itself"
        )
    connection.is_cancelled_by_us = pooler == "transaction"
    connection.limit_seconds = seconds + MARGIN_SECONDS if seconds else LONGEST_SECONDS


def check_server(connection: psycopg.Connection[object]) -> None:
    """Check encoding and version of the server. Raises Unsuitable."""
    encoding = connection.info.parameter_status("server_encoding")
    if encoding != "UTF8":
        raise Unsuitable(
            f"the database has the encoding {encoding}, and the service needs UTF8. Create a "
            "new one: CREATE DATABASE novitai ENCODING 'UTF8' TEMPLATE template0"
        )
    version = connection.info.server_version
    if version < MINIMUM_VERSION:
        raise Unsuitable(
            f"the server is PostgreSQL {version // 10000}, and the service needs "
            f"{MINIMUM_VERSION // 10000} or later"
        )


def _set(connection: BoundedConnection, name: str, value: str) -> None:
    _autocommitted(connection, "SELECT set_config(%s, %s, false)", (name, value))


def _ask(connection: BoundedConnection) -> tuple[str, float]:
    """The marker, and the server's limit for a statement in seconds (0: none)."""
    marker, seconds = _autocommitted(
        connection,
        "SELECT coalesce(current_setting(%s, true), ''),"
        " extract(epoch FROM current_setting('statement_timeout')::interval)::float8",
        (MARKER,),
    )
    return str(marker), float(str(seconds))


def _autocommitted(
    connection: BoundedConnection, statement: str, parameters: tuple[str, ...]
) -> tuple[object, ...]:
    """With a bare cursor: Django's would look for settings that are made here."""
    with psycopg.ClientCursor(connection) as cursor:
        row: tuple[object, ...] | None = cursor.execute(statement, parameters).fetchone()
    assert row is not None  # noqa: S101 - each of these statements gives one row
    return row
