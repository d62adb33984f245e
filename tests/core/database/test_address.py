"""Every parameter of DATABASE_URL counts, or is refused by name."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from core.database.address import AddressError, known_parameters, parse_url
from core.database.sessions import django_entry
from novitai.env.config import ConfigError, load_config


@pytest.fixture(autouse=True)
def no_presets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("PG")]:
        monkeypatch.delenv(name)


def entry(url: str) -> dict[str, Any]:
    return django_entry(parse_url(url))


def test_the_parts_before_the_question_mark_are_djangos() -> None:
    made = entry("postgresql://u%40x:p%2F%25@db.example:6543/n%20m")
    names = ("USER", "PASSWORD", "HOST", "PORT", "NAME")
    assert [made[name] for name in names] == ["u@x", "p/%", "db.example", "6543", "n m"]


@pytest.mark.parametrize(
    ("query", "options"),
    [
        ("sslmode=require", {"sslmode": "require"}),
        ("ssl=true", {"sslmode": "require"}),
        (
            "sslmode=verify-full&sslrootcert=system",
            {"sslmode": "verify-full", "sslrootcert": "system"},
        ),
        ("target_session_attrs=read-write", {"target_session_attrs": "read-write"}),
        ("application_name=gpu%20api", {"application_name": "gpu api"}),
        ("connect_timeout=7", {"connect_timeout": "7"}),
        ("tcp_user_timeout=0&keepalives=0", {"tcp_user_timeout": "0", "keepalives": "0"}),
        (
            "gssencmode=disable&channel_binding=require",
            {"gssencmode": "disable", "channel_binding": "require"},
        ),
        ("%73slmode=require", {"sslmode": "require"}),
        (
            "hostaddr=10.0.0.1&load_balance_hosts=random",
            {"hostaddr": "10.0.0.1", "load_balance_hosts": "random"},
        ),
        ("require_auth=scram-sha-256", {"require_auth": "scram-sha-256"}),
    ],
)
def test_a_parameter_reaches_the_connection(query: str, options: dict[str, str]) -> None:
    made = entry(f"postgresql://u:p@h/n?{query}")["OPTIONS"]
    assert options.items() <= made.items()


def test_what_we_set_ourselves_gives_way_to_the_operators_or_joins_it() -> None:
    made = entry("postgresql://h/n?options=-c%20statement_timeout%3D5s%20-c%20search_path%3Dgpu")
    words = made["OPTIONS"]["options"].split(" -c ")
    # The last of two settings counts: ours for limits come first, what we rely on comes last.
    assert words.index("statement_timeout=30s") < words.index("statement_timeout=5s")
    assert words.index("search_path=gpu") < words.index("datestyle=ISO")
    assert made["OPTIONS"]["connect_timeout"] == "2"
    assert entry("postgresql://h/n?application_name=a")["OPTIONS"]["application_name"] == "a"


def test_presets_of_the_environment_count_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGOPTIONS", "-c work_mem=7MB")
    monkeypatch.setenv("PGCONNECT_TIMEOUT", "9")
    options = entry("postgresql://h/n")["OPTIONS"]
    assert "-c work_mem=7MB" in options["options"]
    assert "connect_timeout" not in options


def test_a_service_brings_its_options_and_its_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "services"
    file.write_text("[gpu]\nhost=db\ndbname=n\noptions=-c work_mem=7MB\nconnect_timeout=8\n")
    monkeypatch.setenv("PGSERVICEFILE", str(file))
    made = entry("postgresql:///?service=gpu")
    assert (made["NAME"], made["OPTIONS"]["service"]) == ("", "gpu")
    assert "-c work_mem=7MB" in made["OPTIONS"]["options"]
    assert "connect_timeout" not in made["OPTIONS"]
    assert "PGSERVICE" not in os.environ
    with pytest.raises(AddressError, match="service"):
        entry("postgresql:///?service=other")


def test_several_hosts_and_a_socket() -> None:
    made = entry("postgresql://u@a:1,[::1]:2/n?target_session_attrs=primary")
    assert (made["HOST"], made["PORT"]) == ("a,::1", "1,2")
    for url in (
        "postgresql:///n?host=/run/postgresql",
        "postgresql://u:p@localhost/n?host=/run/postgresql",
        "postgresql://%2Frun%2Fpostgresql/n",
    ):
        assert entry(url)["HOST"] == "/run/postgresql"


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("postgresql://h/n?conn_max_age=60", "conn_max_age, which libpq does not know"),
        ("postgresql://h/n?sslmod=require", "did you mean sslmode?"),
        ("postgresql://h/n?SSLMODE=require", "did you mean sslmode?"),
        ("postgresql://h/n?prepare_threshold=5", "prepare_threshold"),
        ("postgresql://h/n?sslmode=disable&sslmode=require", "sslmode more than once"),
        ("postgresql://h/n?ssl=true&sslmode=disable", "sslmode more than once"),
        ("postgresql://h/n?sslmode", "without a value"),
        ("postgresql://h/n?sslmode=yes", 'invalid sslmode value: "yes"'),
        ("postgresql://h/n?target_session_attrs=rw", "target_session_attrs"),
        ("postgresql://h/n?channel_binding=on", "channel_binding"),
        ("postgresql://h/n?sslmode=prefer&sslnegotiation=direct", "sslnegotiation"),
        ("postgresql://h/n?sslmode=allow&sslrootcert=system", "sslmode"),
        ("postgresql://h/n?connect_timeout=3s", "connect_timeout"),
        ("postgresql://h/n?connect_timeout=0", "means no limit"),
        ("postgresql://h/n?keepalives_idle=-1", "keepalives_idle"),
        ("postgresql://h/n?sslrootcert=/no/ca.pem", "sslrootcert=/no/ca.pem, which cannot be read"),
        ("postgresql://h/n?passfile=/no/pgpass", "passfile=/no/pgpass, which cannot be read"),
        ("postgresql://h/n?host=other", "gives host twice"),
        ("postgresql://h:1/n?port=2", "gives port twice"),
        ("postgresql://h/n?dbname=m", "gives dbname twice"),
        ("postgresql://u@h/n?user=v", "gives user twice"),
        ("postgresql:///n?host=/run&sslmode=verify-full", "over a Unix socket"),
        ("postgresql:///n?host=a,/run&sslmode=require", "over a Unix socket"),
        ("postgresql://h/n?client_encoding=LATIN1", "UTF8 only"),
        ("postgresql://h/n?replication=database", "replication"),
        ("postgresql://h/n?hostaddr=db.internal", "not an IP address"),
        ("postgresql://a,b/n?hostaddr=10.0.0.1,::g", "not an IP address"),
        ("postgresql://h:0/n", "a port that is not"),
        ("postgresql://h:65536/n", "a port that is not"),
        ("postgresql://h:http/n", "a port that is not"),
        ("postgresql://h", "names no database"),
        ("postgresql://h/", "names no database"),
        ("mysql://h/n", "must start with postgresql://"),
        ("postgis://h/n", "must start with postgresql://"),
        ("h/n", "must start with postgresql://"),
        ("postgresql:h/n", "must start with postgresql://"),
    ],
)
def test_what_cannot_work_is_refused_by_name(url: str, words: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        load_config({"DATABASE_URL": url})
    assert "DATABASE_URL: " in str(refusal.value)
    assert words in str(refusal.value)
    assert "Hint: postgresql://USER:PASSWORD@HOST:PORT/NAME" in str(refusal.value)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:hun@ter2@h/n",
        "postgresql://u:hunter2%zz@h/n",
        "postgresql://u:x?hunter2=@h/n",
        "postgresql://u:hunter2@h:x/n",
        "postgresql://u:hunter2@h/n?sslmode=yes",
        "postgresql://u:hunter2@h/n?foo=1",
        "mysql://u:hunter2@h/n",
        "u:hunter2@h/n",
        "postgresql://u@h/n?password=hunter2&password=hunter2",
    ],
)
def test_no_refusal_shows_a_password(url: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        load_config({"DATABASE_URL": url})
    assert "ter2" not in str(refusal.value)


def test_each_parameter_of_this_libpq_is_known() -> None:
    assert {"sslmode", "service", "passfile", "target_session_attrs"} <= known_parameters()
