"""Parsing and checking of DATABASE_URL before anything connects.

libpq itself parses the URL, so everything in its documentation applies: several hosts, sockets,
percent-encoding, every parameter (PostgreSQL documentation, "Connection URIs"). Parts that libpq
would silently ignore are refused. No message repeats a part of the URL that may be the password.
"""

import difflib
import ipaddress
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import unquote

import psycopg
from psycopg import pq
from psycopg.conninfo import conninfo_to_dict, make_conninfo

FORM = "postgresql://USER:PASSWORD@HOST:PORT/NAME?PARAMETER=VALUE"
_SCHEMES = ("postgresql", "postgres")
# Parameters that libpq knows and the service cannot work with.
_NOT_OURS = {
    "replication": "a replication session cannot run the service's statements",
}
_FILES = ("sslrootcert", "sslcert", "sslkey", "sslcrl", "sslcrldir", "passfile")
# Values of the file parameters that name no file.
_NO_FILES = ("system", "")
_WHOLE_NUMBERS = (
    *("connect_timeout", "tcp_user_timeout", "keepalives", "keepalives_idle"),
    *("keepalives_interval", "keepalives_count"),
)
_DEMANDS_TLS = ("require", "verify-ca", "verify-full")
# The placeholder that many tools want before ?host=/socket/folder.
_PLACEHOLDER_HOSTS = ("", "localhost")
_UTF8 = ("utf8", "utf-8", "unicode")
# A host that exists nowhere: libpq checks all values before it looks for it, without the network.
_NOWHERE = "/nowhere/novitai"


class AddressError(ValueError):
    """DATABASE_URL cannot be used; the message says why, without any secret."""


def parse_url(url: str) -> dict[str, str]:
    """The connection parameters of a URL, by libpq's names. Raises AddressError."""
    scheme, separator, rest = url.partition("://")
    if not separator or scheme not in _SCHEMES:
        raise AddressError("is not a Postgres URL: it must start with postgresql://")
    authority, _, query = rest.partition("?")
    _check_query(query)
    try:
        parameters = {name: str(value) for name, value in conninfo_to_dict(url).items()}
        base = conninfo_to_dict(f"{scheme}://{authority}")
    except psycopg.Error:
        raise AddressError(
            "is not a Postgres URL. Characters such as @ / : ? # % in the user or the password"
            " must be percent-encoded (@ is %40)"
        ) from None
    _check_overridden(base, query)
    _check(parameters)
    return parameters


def known_parameters() -> frozenset[str]:
    """The parameters of the libpq that is installed."""
    return frozenset(option.keyword.decode() for option in pq.Conninfo.get_defaults())


def _check_query(query: str) -> None:
    """Check that each parameter occurs once and is known to libpq."""
    seen: set[str] = set()
    for name in _names(query):
        # libpq reads JDBC's ssl=true as sslmode=require.
        own = "sslmode" if name == "ssl" else name
        if own in seen:
            raise AddressError(f"gives the parameter {own} more than once")
        seen.add(own)
        if own not in known_parameters():
            raise AddressError(
                f"has the parameter {_shown(name)}, which libpq does not know{_near(name)}"
            )
        if own in _NOT_OURS:
            raise AddressError(f"has the parameter {own}: {_NOT_OURS[own]}")


def _names(query: str) -> Iterator[str]:
    for part in query.split("&"):
        name, separator, _ = part.partition("=")
        if not part:
            continue
        if not separator:
            raise AddressError("has a parameter without a value after the ?")
        yield unquote(name)


def _shown(name: str) -> str:
    """A parameter name for messages. It may be a part of a password if a raw ? is in it."""
    return name if re.fullmatch(r"[A-Za-z_]{1,40}", name) else "(not shown: not a valid name)"


def _near(name: str) -> str:
    near = difflib.get_close_matches(name.lower(), known_parameters(), n=1)
    return f" (did you mean {near[0]}?)" if near else ""


def _check_overridden(base: Mapping[str, object], query: str) -> None:
    """Check that no value is given twice; libpq would silently use the one of the query."""
    for name in _names(query):
        before = str(base.get(name) or "")
        if name == "host" and before in _PLACEHOLDER_HOSTS:
            continue
        if before:
            raise AddressError(f"gives {name} twice: before the ? and after it")


def _check(parameters: Mapping[str, str]) -> None:
    if not (parameters.get("dbname") or parameters.get("service") or os.environ.get("PGSERVICE")):
        raise AddressError("names no database")
    _check_hosts(parameters)
    _check_numbers(parameters)
    encoding = parameters.get("client_encoding", "utf8").lower()
    if encoding not in _UTF8:
        raise AddressError("has client_encoding: the service speaks UTF8 only; leave it out")
    _check_files(parameters)
    _check_values(parameters)


def _check_hosts(parameters: Mapping[str, str]) -> None:
    hosts = parameters.get("host", "").split(",")
    if any(re.search(r"[@\s]", host[1:]) for host in hosts):
        raise AddressError("has no valid host. An @ in the password must be written as %40")
    for address in filter(None, parameters.get("hostaddr", "").split(",")):
        try:
            ipaddress.ip_address(address.partition("%")[0])
        except ValueError:
            raise AddressError(
                f"has hostaddr={_short(address)}, which is not an IP address"
            ) from None
    is_socket = any(host.startswith(("/", "@")) for host in hosts)
    if is_socket and parameters.get("sslmode") in _DEMANDS_TLS:
        raise AddressError(
            f"asks for sslmode={parameters['sslmode']} over a Unix socket, where there is no TLS"
        )


def _check_numbers(parameters: Mapping[str, str]) -> None:
    for port in filter(None, parameters.get("port", "").split(",")):
        if not (port.isascii() and port.isdecimal() and 1 <= int(port) <= 65535):
            raise AddressError("has a port that is not a number from 1 to 65535")
    for name in _WHOLE_NUMBERS:
        value = parameters.get(name, "0").strip()
        if not re.fullmatch(r"[0-9]{1,9}", value):
            raise AddressError(f"has {name}={_short(value)}, which is not a whole number")
    if parameters.get("connect_timeout") == "0":
        raise AddressError("has connect_timeout=0, which means no limit; give a number of seconds")


def _check_files(parameters: Mapping[str, str]) -> None:
    """Check that files can be read; libpq silently ignores some missing ones (passfile, sslcrl)."""
    for name in _FILES:
        value = parameters.get(name, "")
        if value in _NO_FILES or ":" in value:  # an engine's key is named engine:key
            continue
        if not os.access(Path(value), os.R_OK):
            raise AddressError(f"has {name}={value}, which cannot be read")


def _check_values(parameters: Mapping[str, str]) -> None:
    """Check by libpq; its message about a value is kept if it names the parameter."""
    tried = {**parameters, "host": _NOWHERE, "port": "5432", "password": "x"}
    for name in ("hostaddr", "load_balance_hosts", "sslpassword"):
        tried.pop(name, None)
    connection = pq.PGconn.connect_start(make_conninfo("", **tried).encode())
    message = connection.get_error_message()
    connection.finish()
    if _NOWHERE not in message:
        raise AddressError(f"is refused by libpq: {message.strip()}")


def _short(value: str) -> str:
    return repr(value[:40])
