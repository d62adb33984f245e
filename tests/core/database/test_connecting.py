"""DATABASE_URL against a real server: what an operator demanded is what is done."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.db.utils import ConnectionHandler

from core.database.address import parse_url
from core.database.sessions import django_entry
from tests.core.database.relay import Authority, Relay


def to_server() -> socket.socket:
    """The server of the tests, past everything."""
    parameters = connection.get_connection_params()
    host, port = str(parameters["host"]), int(parameters.get("port") or 5432)
    if not host.startswith("/"):
        return socket.create_connection((host, port))
    client = socket.socket(socket.AF_UNIX)
    client.connect(f"{host}/.s.PGSQL.{port}")
    return client


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority.make(tmp_path, "tests")


@pytest.fixture
def with_tls(tmp_path: Path, authority: Authority, db: None) -> Iterator[Relay]:
    relay = Relay(to_server, authority.server_context(tmp_path, "localhost"))
    yield relay
    relay.close()


@pytest.fixture
def without_tls(db: None) -> Iterator[Relay]:
    relay = Relay(to_server, None)
    yield relay
    relay.close()


def ask(relay: Relay | None, query: str, host: str = "localhost") -> dict[str, Any]:
    """What a session of the service's own settings says of itself."""
    parameters = connection.get_connection_params()
    user, name = parameters["user"], parameters["dbname"]
    place = f"{host}:{relay.port}" if relay else ""
    url = f"postgresql://{user}@{place}/{name}?{query}"
    settings = django_entry(parse_url(url))
    wrapper = ConnectionHandler({"default": settings})["default"]
    try:
        with wrapper.cursor() as cursor:
            cursor.execute("SELECT name, setting FROM pg_settings")
            return {**dict(cursor.fetchall()), "tls": wrapper.connection.pgconn.ssl_in_use}
    finally:
        wrapper.close()


def test_tls_that_is_demanded_is_spoken(with_tls: Relay, authority: Authority) -> None:
    for query in (
        "sslmode=require",
        f"sslmode=verify-ca&sslrootcert={authority.file}",
        f"sslmode=verify-full&sslrootcert={authority.file}",
        f"sslmode=verify-full&sslrootcert={authority.file}&sslnegotiation=postgres",
    ):
        assert ask(with_tls, query)["tls"], query


@pytest.mark.parametrize(
    "query", ["sslmode=require", "sslmode=verify-full&sslrootcert={ca}", "ssl=true"]
)
def test_a_server_without_tls_is_refused_where_tls_is_demanded(
    without_tls: Relay, authority: Authority, query: str
) -> None:
    with pytest.raises(OperationalError, match="does not support SSL"):
        ask(without_tls, query.format(ca=authority.file))
    assert not ask(without_tls, "sslmode=prefer")["tls"]


def test_a_certificate_of_another_authority_or_host_is_refused(
    with_tls: Relay, authority: Authority, tmp_path: Path
) -> None:
    other = Authority.make(tmp_path, "other").file
    with pytest.raises(OperationalError, match="certificate verify failed"):
        ask(with_tls, f"sslmode=verify-ca&sslrootcert={other}")
    full = f"sslmode=verify-full&sslrootcert={authority.file}"
    with pytest.raises(OperationalError, match="does not match host name"):
        ask(with_tls, full, host="127.0.0.1")


def test_our_own_options_stand_beside_the_operators(without_tls: Relay) -> None:
    found = ask(
        without_tls,
        "options=-c%20work_mem%3D7MB%20-c%20statement_timeout%3D5s&application_name=gpu",
    )
    assert (found["work_mem"], found["statement_timeout"]) == ("7168", "5000")
    assert (found["lock_timeout"], found["application_name"]) == ("10000", "gpu")
    assert ask(without_tls, "")["application_name"] == "novitai"


def test_a_socket_is_a_host(db: None) -> None:
    host = connection.get_connection_params()["host"]
    if not str(host).startswith("/"):
        pytest.fail("the tests' own server is expected on a socket: unset DATABASE_URL")
    assert ask(None, f"host={host}")["lock_timeout"] == "10000"


def test_the_next_host_is_tried_and_one_that_takes_writes_is_found(without_tls: Relay) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        dead = free.getsockname()[1]
    host = f"localhost:{dead},localhost"
    assert ask(without_tls, "target_session_attrs=read-write", host=host)["lock_timeout"] == "10000"
    with pytest.raises(OperationalError, match="standby"):
        ask(without_tls, "target_session_attrs=standby")
