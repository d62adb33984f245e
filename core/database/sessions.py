"""What every session of the service is started with: one place for all connections.

Web threads, workers, the pusher and the listeners all connect by Django's DATABASES entry, so what
stands here holds for each of them.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from psycopg import pq

# No statement may hang on a lock or a lost client for ever. An operator's own values win.
LIMITS = "-c lock_timeout=10s -c statement_timeout=30s -c idle_in_transaction_session_timeout=60s"
# What the service's statements and the driver rely on, whatever a role or a database presets.
# These come last, so they win. default_transaction_read_only is left alone: with it an operator
# stops all writes.
RELIED_ON = (
    "-c datestyle=ISO -c intervalstyle=postgres -c timezone=UTC -c bytea_output=hex"
    " -c standard_conforming_strings=on -c extra_float_digits=1"
    " -c default_transaction_isolation=read\\ committed -c default_transaction_deferrable=off"
    " -c transform_null_equals=off -c array_nulls=on"
    # By this a session knows that all of this has reached the server (``suitability``).
    " -c novitai.session=1"
)
# Found out in seconds: a server that vanished, and one that does not answer a new connection.
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
    """OPTIONS of Django's entry for the embedded server, which nobody else configures."""
    return {**_DEFAULTS, "options": _joined(LIMITS, RELIED_ON)}


def django_entry(parameters: Mapping[str, str], pooler: str = "none") -> dict[str, Any]:
    """An entry of DATABASES for the parameters of a URL: all of them, and ours beside them.

    Poolers refuse start-up options, so behind one ours are set otherwise (``suitability``).
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
        # A cursor on the server lives in one session, and a transaction pooler changes sessions.
        "DISABLE_SERVER_SIDE_CURSORS": pooler == "transaction",
    }


def _joined(*parts: str) -> str:
    return " ".join(part for part in parts if part)


def _presets(parameters: Mapping[str, str]) -> dict[str, str]:
    """What libpq would add by itself to a URL's parameters: of the environment (PGOPTIONS …) and of
    the service that the URL names. A value that we pass would silently replace it.
    """
    with _service_named(parameters):
        options = pq.Conninfo.get_defaults()
    known = {each.keyword.decode(): each.val.decode() for each in options if each.val}
    return {**known, **parameters}


@contextmanager
def _service_named(parameters: Mapping[str, str]) -> Iterator[None]:
    """libpq tells the presets of a service only if the environment names it."""
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
