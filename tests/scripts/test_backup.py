"""`scripts/backup.sh` and `scripts/restore.sh`: all is there again, or nothing changed."""

import os
import secrets
import subprocess
import sys
import tarfile
from pathlib import Path

import psycopg
import pytest
from psycopg.types.json import Jsonb

from devtools.embedded_postgres import ensure_running, stop
from devtools.faults.real.databases import Database
from tests.scripts.checkouts import ROOT, Checkout, calls, install_engine, make_checkout

SECRET = "for-this-test-only-0123456789-0123456789-0123"


def add_project(database: Database, name: str) -> None:
    """By SQL, from the default one: a Django process for each row would take seconds."""
    changes = {"name": name, "public_id": f"proj_{secrets.token_hex(12)}"}
    with psycopg.connect(database.url, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO accounts_project SELECT (jsonb_populate_record(p, %s"
            " || jsonb_build_object('id',"
            " nextval(pg_get_serial_sequence('accounts_project', 'id'))))).*"
            " FROM accounts_project p LIMIT 1",
            [Jsonb(changes)],
        )


def projects(database: Database) -> list[str]:
    with psycopg.connect(database.url) as connection:
        rows = connection.execute("SELECT name FROM accounts_project ORDER BY id").fetchall()
    return [row[0] for row in rows]


def with_default_project(checkout: Checkout, database: Database) -> None:
    checkout.manage("create_api_key", DATABASE_URL=database.url, SECRET_KEY=SECRET)


def the_backup(checkout: Checkout, folder: str = "backups") -> Path:
    (found,) = (checkout.folder / folder).iterdir()
    return found


def test_a_server_is_restored_with_what_it_held_and_nothing_since(
    checkout: Checkout, database: Database
) -> None:
    with_default_project(checkout, database)
    add_project(database, "it's 'quoted' ünïcode")
    before = projects(database)
    made = checkout.run("backup.sh", DATABASE_URL=database.url, CDPATH=f"/:{checkout.folder}")
    assert (made.code, made.complaints) == (0, "")
    add_project(database, "made since")

    refused = checkout.run("restore.sh", str(the_backup(checkout)), DATABASE_URL=database.url)
    done = checkout.run(
        "restore.sh", "--replace", str(the_backup(checkout)), DATABASE_URL=database.url
    )

    assert refused.code == 1
    assert "--replace" in refused.complaints
    assert done.code == 0, done.complaints
    assert projects(database) == before
    assert "reconcile --accept" in done.output
    # The code finds nothing left to do.
    checkout.manage("migrate", "--check", DATABASE_URL=database.url)


def test_an_embedded_database_moves_to_another_folder_with_its_secrets(tmp_path: Path) -> None:
    old_data, new_data = tmp_path / "old data", tmp_path / "new data"
    old = make_checkout(tmp_path / "old", DATA_DIR=str(old_data))
    new = make_checkout(tmp_path / "new", DATA_DIR=str(new_data))
    with psycopg.connect(ensure_running(old_data / "postgres").url) as connection:
        connection.execute("CREATE TABLE django_migrations AS SELECT 'held' AS name")
    (old_data / "secret_key").write_text(SECRET)
    (old_data / "server.log").write_text("no secret, no backup")

    made = old.run("backup.sh", str(tmp_path / "kept"))
    (archive,) = (tmp_path / "kept").iterdir()
    done = new.run("restore.sh", "--database", "embedded", str(archive))

    try:
        assert made.code == 0, made.complaints
        assert done.code == 0, done.complaints
        with psycopg.connect(ensure_running(new_data / "postgres").url) as connection:
            assert connection.execute("SELECT name FROM django_migrations").fetchall() == [
                ("held",)
            ]
        files = [path.name for path in new_data.iterdir() if path.is_file()]
        assert files == ["secret_key"]
        assert (new_data / "secret_key").stat().st_mode & 0o077 == 0
    finally:
        stop(old_data / "postgres")
        stop(new_data / "postgres")


def test_a_compose_deployment_is_backed_up_through_its_container(
    tmp_path: Path, database: Database
) -> None:
    engine = tmp_path / "engine"
    variables = install_engine(engine, database_url=database.url, novita_url="http://127.0.0.1:9")
    checkout = make_checkout(tmp_path / "checkout", **variables)
    checkout.write_env("POSTGRES_PASSWORD=p\nSECRET_KEY=s\n")

    made = checkout.run("backup.sh")

    assert made.code == 0, made.complaints
    assert "compose exec postgres pg_dump" in calls(engine)
    with tarfile.open(the_backup(checkout)) as archive:
        member = archive.extractfile("configuration/env")
        assert member is not None
        assert member.read() == b"POSTGRES_PASSWORD=p\nSECRET_KEY=s\n"


def test_a_backup_is_for_its_owner_only_and_old_ones_make_room(
    checkout: Checkout, database: Database
) -> None:
    folder = checkout.folder / "backups"
    folder.mkdir()
    for day in range(1, 4):
        (folder / f"novitai-2020010{day}T000000Z.tar").touch()
    (folder / "novitai-notes.txt").touch()

    made = checkout.run("backup.sh", "--keep", "2", DATABASE_URL=database.url)

    assert made.code == 0, made.complaints
    names = sorted(path.name for path in folder.iterdir())
    assert names[:2] == ["novitai-20200103T000000Z.tar", names[1]]
    assert names[2:] == ["novitai-notes.txt"]
    assert (folder / names[1]).stat().st_mode & 0o777 == 0o600


def test_configuration_comes_back_where_it_is_missing_and_replaces_nothing(
    checkout: Checkout, database: Database, tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.write_text(SECRET)
    checkout.write_env("LOG_LEVEL=DEBUG\n")
    variables = {
        "DATABASE_URL": database.url,
        "SECRET_KEY_FILE": str(secret),
        "API_RATE_LIMIT": "9",
    }
    made = checkout.run("backup.sh", DATA_DIR=str(tmp_path / "data"), **variables)
    assert made.code == 0, made.complaints
    checkout.write_env("LOG_LEVEL=ERROR\n")

    done = checkout.run(
        "restore.sh",
        "--replace",
        str(the_backup(checkout)),
        DATA_DIR=str(tmp_path / "data"),
        **variables,
    )

    assert done.code == 0, done.complaints
    assert (checkout.folder / ".env").read_text() == "LOG_LEVEL=ERROR\n"
    assert (checkout.folder / ".env.from-backup").read_text() == "LOG_LEVEL=DEBUG\n"
    restored = tmp_path / "data" / "restored"
    assert (restored / "SECRET_KEY").read_text() == SECRET
    assert "API_RATE_LIMIT=9" in (restored / "environment").read_text().splitlines()


def test_what_is_no_whole_backup_changes_nothing(checkout: Checkout, database: Database) -> None:
    assert checkout.run("backup.sh", DATABASE_URL=database.url).code == 0
    archive = the_backup(checkout)
    content = archive.read_bytes()
    place = content.rindex(b"PGDMP") + 2000
    changed = content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]
    damaged = [content[: len(content) // 2], changed, b"hello" * 200, b""]
    for each in damaged:
        archive.write_bytes(each)
        done = checkout.run("restore.sh", "--replace", str(archive), DATABASE_URL=database.url)
        assert (done.code, done.output) == (1, "")
        assert done.complaints.startswith("Failed: ")
    archive.write_bytes(content)
    assert checkout.run("restore.sh", "--check", str(archive)).code == 0


def test_a_restore_that_fails_half_way_leaves_the_database_as_it_was(
    checkout: Checkout, database: Database, other_database: Database
) -> None:
    """The target refuses an index, which a dump makes after its tables and rows."""
    assert checkout.run("backup.sh", DATABASE_URL=database.url).code == 0
    with psycopg.connect(other_database.url, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA guard")
        connection.execute(
            "CREATE FUNCTION guard.refuse() RETURNS event_trigger LANGUAGE plpgsql AS"
            " $$ BEGIN IF EXISTS (SELECT FROM pg_class WHERE relname = 'jobs_job') AND"
            " EXISTS (SELECT FROM pg_event_trigger_ddl_commands()"
            "  WHERE command_tag = 'CREATE INDEX')"
            " THEN RAISE 'no index today'; END IF; END $$"
        )
        connection.execute(
            "CREATE EVENT TRIGGER refuse ON ddl_command_end EXECUTE FUNCTION guard.refuse()"
        )
        before = connection.execute("SELECT count(*) FROM django_migrations").fetchone()

    done = checkout.run(
        "restore.sh", "--replace", str(the_backup(checkout)), DATABASE_URL=other_database.url
    )

    assert done.code == 1
    assert "it is unchanged" in done.complaints
    with psycopg.connect(other_database.url, autocommit=True) as connection:
        assert connection.execute("SELECT count(*) FROM django_migrations").fetchone() == before


def test_a_database_in_use_is_not_replaced(checkout: Checkout, database: Database) -> None:
    assert checkout.run("backup.sh", DATABASE_URL=database.url).code == 0
    with psycopg.connect(database.url):
        done = checkout.run(
            "restore.sh", "--replace", str(the_backup(checkout)), DATABASE_URL=database.url
        )

    assert done.code == 1
    assert "1 other connections use the database" in done.complaints


def test_no_database_no_backup(checkout: Checkout, tmp_path: Path) -> None:
    nowhere = checkout.run("backup.sh", DATA_DIR=str(tmp_path))
    dead = checkout.run("backup.sh", DATABASE_URL="postgresql://u:secret-word@127.0.0.1:1/none")

    assert (nowhere.code, dead.code) == (1, 1)
    assert "no database was found" in nowhere.complaints
    assert "secret-word" not in dead.complaints
    assert list((checkout.folder / "backups").glob("*")) == []


@pytest.mark.parametrize(
    "arguments", [["--keep", "08"], ["--keep", "0"], ["--keep", "9" * 20], ["one", "two"]]
)
def test_a_call_that_is_not_understood_makes_nothing(
    checkout: Checkout, arguments: list[str]
) -> None:
    done = checkout.run("backup.sh", *arguments, DATABASE_URL="postgresql://nobody@127.0.0.1:9/x")
    assert (done.code, "--help" in done.complaints) == (2, True)
    assert not list(checkout.folder.glob("backups")) + list(checkout.folder.glob("one"))


def test_no_password_stands_in_the_arguments_of_a_process() -> None:
    """The program is told by a file how to connect, and that file is gone afterwards."""
    url = "postgresql://user:secret-word@127.0.0.1:1/none?application_name=x"
    show = (
        "import os, psutil; own = psutil.Process(); print(own.parent().cmdline(), own.cmdline(),"
        " sorted(os.environ), open(os.environ['PGSERVICEFILE']).read())"
    )
    shown = subprocess.run(
        [sys.executable, "scripts/with_database.py", sys.executable, "-c", show],
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": url},
        check=True,
        capture_output=True,
        text=True,
    ).stdout

    arguments, _, service = shown.partition("[novitai]")
    assert "secret-word" not in arguments
    assert "'DATABASE_URL'" not in arguments
    assert "password=secret-word" in service
    assert "application_name=x" in service
