"""The Django database engine, in processes with settings of their own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.devtools.embedded_postgres.processes import environment, is_gone

_SETTINGS = """
SECRET_KEY = "test"
USE_TZ = True
DATABASES = {{"default": {{
    "ENGINE": "devtools.embedded_postgres.backend",
    "NAME": "novitai",
    "DATA_DIR": {data_dir!r},
    "OPTIONS": {options},
}}}}
"""
_SETUP = "import django, os; django.setup(); from django.db import connection\n"
_KILL_SERVER = """
import signal
record = os.path.join(connection.settings_dict["DATA_DIR"], "cluster/postmaster.pid")
pid = int(open(record).readline())
connection.close()
os.kill(pid, signal.SIGKILL)
"""
_QUERY = """
with connection.cursor() as cursor:
    cursor.execute("SELECT current_database(), current_setting('TimeZone')")
    print(*cursor.fetchone())
"""
_DJANGO_TESTS = """
import pytest
from django.db import connection

@pytest.mark.django_db
@pytest.mark.parametrize("number", range(4))
def test_database(number, worker_id):
    assert connection.settings_dict["NAME"] == f"test_novitai_{worker_id}"
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_database()")
        assert cursor.fetchone() == (f"test_novitai_{worker_id}",)
"""


def test_settings_start_no_server(empty_dir: Path, tmp_path: Path) -> None:
    project = _project(tmp_path, empty_dir)

    _python(project, _SETUP + "connection.ops.quote_name('x')")

    assert not empty_dir.exists()


@pytest.mark.parametrize(
    "options", ["{}", '{"pool": {"min_size": 1, "max_size": 2}, "connect_timeout": 5}']
)
def test_a_query_starts_the_server(data_dir: Path, tmp_path: Path, options: str) -> None:
    project = _project(tmp_path, data_dir, options)

    printed = _python(project, _SETUP + _QUERY + "connection.close_pool()")

    assert printed == "novitai UTC\n"


def test_a_query_after_the_server_was_killed_works(data_dir: Path, tmp_path: Path) -> None:
    project = _project(tmp_path, data_dir)
    _python(project, _SETUP + _QUERY)

    printed = _python(project, _SETUP + _QUERY + _KILL_SERVER + _QUERY)

    assert printed == "novitai UTC\n" * 2


def test_dbshell_runs_psql_on_the_server(data_dir: Path, tmp_path: Path) -> None:
    project = _project(tmp_path, data_dir)
    command = ["-m", "django", "dbshell", "--", "-Atc", "SELECT current_user, current_database()"]

    assert _run(project, *command) == "novitai|novitai\n"


def test_pytest_django_makes_one_database_for_each_xdist_worker(
    data_dir: Path, tmp_path: Path
) -> None:
    project = _project(tmp_path, data_dir)
    (project / "pytest.ini").write_text("[pytest]\n")
    (project / "test_database.py").write_text(_DJANGO_TESTS)

    plugins = ["-p", "pytest_django.plugin", "-p", "xdist.plugin", "-p", "no:cacheprovider"]

    printed = _run(project, "-m", "pytest", *plugins, "-n", "2")

    assert "4 passed" in printed


def test_no_data_folder_in_the_settings_is_said_so(empty_dir: Path, tmp_path: Path) -> None:
    project = _project(tmp_path, empty_dir)
    settings = project / "inner_settings.py"
    settings.write_text(settings.read_text().replace("DATA_DIR", "DATA_DOOR"))

    with pytest.raises(subprocess.CalledProcessError) as failure:
        _python(project, _SETUP + _QUERY)

    assert "needs DATA_DIR" in failure.value.stderr
    assert is_gone(empty_dir)


def test_a_server_that_cannot_be_had_is_an_operational_error(
    empty_dir: Path, tmp_path: Path
) -> None:
    project = _project(tmp_path, empty_dir)
    empty_dir.mkdir()
    (empty_dir / "letters").touch()

    with pytest.raises(subprocess.CalledProcessError) as failure:
        _python(project, _SETUP + _QUERY)

    assert "django.db.utils.OperationalError" in failure.value.stderr
    assert "Set DATABASE_URL" in failure.value.stderr


def _project(folder: Path, data_dir: Path, options: str = "{}") -> Path:
    project = folder / "project"
    project.mkdir()
    text = _SETTINGS.format(data_dir=os.fspath(data_dir), options=options)
    (project / "inner_settings.py").write_text(text)
    return project


def _python(project: Path, code: str) -> str:
    return _run(project, "-c", code)


def _run(project: Path, *arguments: str) -> str:
    env = environment()
    env["PYTHONPATH"] = os.pathsep.join([env["PYTHONPATH"], os.fspath(project)])
    env["DJANGO_SETTINGS_MODULE"] = "inner_settings"
    env = {key: value for key, value in env.items() if not key.startswith("PYTEST")}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=project,
        env={**env, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
