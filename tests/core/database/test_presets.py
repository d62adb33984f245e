"""What a role, a database or a server may preset, and what the service relies on."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.core.database.servers import OwnServer, manage

PRINT_SETTINGS = """
from decimal import Decimal
from datetime import timedelta
from django.db import connection
from django.utils import timezone
from accounts.models import Project
from core.clock import database_now
p = Project.objects.create(name='ü 日 ' + timezone.now().isoformat())
assert abs(database_now() - timezone.now()) < timedelta(minutes=5)
with connection.cursor() as c:
    c.execute("SELECT interval '1 day 2 hours', bytea 'ab', 0.1::float8 + 0.2::float8, now()")
    row = c.fetchone()
    assert row[0] == timedelta(hours=26), row
    assert bytes(row[1]) == b'ab', row
    assert row[2] == 0.1 + 0.2, row
    c.execute("SHOW transaction_isolation"); assert c.fetchone() == ('read committed',)
    c.execute("SHOW lock_timeout"); assert c.fetchone() == ('10s',)
print('works')
"""


def test_presets_of_a_role_or_a_database_change_nothing(server: OwnServer) -> None:
    presets = (
        *("datestyle = 'SQL, DMY'", "intervalstyle = 'iso_8601'", "timezone = 'Asia/Tokyo'"),
        *("client_encoding = 'LATIN1'", "bytea_output = 'escape'", "extra_float_digits = -5"),
        *("default_transaction_isolation = 'serializable'", "lock_timeout = '1ms'"),
        *("default_transaction_deferrable = on", "transform_null_equals = on"),
        *("statement_timeout = '1h'", "array_nulls = off"),
    )
    server.run(*(f"ALTER DATABASE novitai SET {preset}" for preset in presets))
    server.run(*(f"ALTER ROLE CURRENT_USER SET {preset}" for preset in presets))
    try:
        done = manage(server.url(), "shell", "-v", "0", "-c", PRINT_SETTINGS)
        assert done.stdout.strip() == "works", done.stderr
        assert manage(server.url(), "migrate").returncode == 0
    finally:
        server.run("ALTER DATABASE novitai RESET ALL", "ALTER ROLE CURRENT_USER RESET ALL")


def test_presets_of_the_environment_change_nothing(server: OwnServer) -> None:
    environ = {"PGDATESTYLE": "SQL,DMY", "PGTZ": "Asia/Tokyo", "PGCLIENTENCODING": "LATIN1"}
    done = manage(server.url(), "shell", "-v", "0", "-c", PRINT_SETTINGS, **environ)
    assert done.stdout.strip() == "works", done.stderr


@pytest.mark.parametrize("encoding", ["SQL_ASCII", "LATIN1"])
def test_a_database_in_another_encoding_is_refused_with_a_hint(
    server: OwnServer, encoding: str, tmp_path: Path
) -> None:
    name = f"in_{encoding.lower()}"
    server.run(f"CREATE DATABASE {name} ENCODING '{encoding}' LOCALE 'C' TEMPLATE template0")
    for command in ("migrate", "worker"):
        done = manage(server.url(name), command, NOVITA_API_KEY="x", DATA_DIR=str(tmp_path))
        assert done.returncode != 0
        assert f"encoding {encoding}" in done.stderr
        assert "ENCODING 'UTF8'" in done.stderr
        assert "Traceback" not in done.stderr


def test_a_database_that_is_away_stops_migrate_with_the_cause(tmp_path: Path) -> None:
    done = manage(f"postgresql:///none?host={tmp_path}", "migrate")
    assert done.returncode != 0
    assert "No such file" in done.stderr
