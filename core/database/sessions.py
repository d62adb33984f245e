"""Start-up options of all database sessions.

Web threads, workers and listeners all connect with Django's DATABASES entry, so these options apply
to every session.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from psycopg import pq

# Limits of lock waits, statements and idle transactions. Values of DATABASE_URL have priority.
LIMITS = "-c lock_timeout=10s -c statement_timeout=30s -c idle_in_transaction_session_timeout=60s"
# Settings that the service's statements and the driver need, whatever a role or database presets.
# They come last, so they have priority. default_transaction_read_only is not set: an operator can
# use it to stop all writes.
RELIED_ON = (
    "-c datestyle=ISO -c intervalstyle=postgres -c timezone=UTC -c bytea_output=hex"
    " -c standard_conforming_strings=on -c extra_float_digits=1"
    " -c default_transaction_isolation=read\\ committed -c default_transaction_deferrable=off"
    " -c transform_null_equals=off -c array_nulls=on"
    # A marker: ``suitability`` checks by it that the options have reached the server.
    " -c novitai.session=1"
)
# So that a lost server, and one that does not answer a new connection, are noticed in seconds.
_DEFAULTS: dict[str, str] = {
    "connect_timeout": "2",
    "tcp_user_timeout": "10000",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "fallback_application_name": "novitai",
}
_OF_DJANGO = {
    "dbname": "NAME",
    "user": "USER",
    "password": "PASSWORD",
    "host": "HOST",
    "port": "PORT",
}


def embedded_options() -> dict[str, Any]:
    """OPTIONS of Django's entry for the embedded server."""
    return {**_DEFAULTS, "options": _joined(LIMITS, RELIED_ON)}


def django_entry(parameters: Mapping[str, str], pooler: str = "none") -> dict[str, Any]:
    """An entry of DATABASES: the parameters of a URL, and the service's start-up options.

    Poolers refuse start-up options, so behind one they are set differently (``suitability``).
    """
    theirs = {name: value for name, value in parameters.items() if name != "client_encoding"}
    preset = _presets(theirs)
    own = {name: value for name, value in _DEFAULTS.items() if not preset.get(name)}
    options = preset.get("options", "")
    if pooler == "none":
        options = _joined(LIMITS, options, RELIED_ON)
    entry = {django: theirs.pop(name, "") for name, django in _OF_DJANGO.items()}
    if not entry["NAME"]:
        theirs["service"] = preset.get("service", "") or os.environ.get("PGSERVICE", "")
    options_of_ours = {"options": options} if options else {}
    return {
        "ENGINE": "core.database.backend",
        **entry,
        "OPTIONS": {**own, **theirs, **options_of_ours},
        "POOLER": pooler,
        # A server-side cursor needs one session, and a transaction pooler changes sessions.
        "DISABLE_SERVER_SIDE_CURSORS": pooler == "transaction",
    }


def _joined(*parts: str) -> str:
    return " ".join(part for part in parts if part)


def _presets(parameters: Mapping[str, str]) -> dict[str, str]:
    """Parameters that libpq itself adds to those of a URL: from the environment (PGOPTIONS …) and
    from the service that the URL names. A value passed by this code would silently replace them.
    """
    with _service_named(parameters):
        options = pq.Conninfo.get_defaults()
    known = {each.keyword.decode(): each.val.decode() for each in options if each.val}
    return {**known, **parameters}


@contextmanager
def _service_named(parameters: Mapping[str, str]) -> Iterator[None]:
    """libpq returns the parameters of a service only if the environment names the service."""
    variables = {"service": "PGSERVICE", "servicefile": "PGSERVICEFILE"}
    named = {variables[name]: parameters[name] for name in variables if parameters.get(name)}
    before = {name: os.environ.get(name) for name in named}
    os.environ.update(named)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
