"""kill -9 in every place, and what a machine crash leaves behind."""

import os
import socket
import sys
from pathlib import Path

import psutil

from devtools.embedded_postgres import stop
from devtools.embedded_postgres.layout import open_layout
from devtools.embedded_postgres.postmaster import start_postmaster
from tests.devtools.embedded_postgres.conftest import StartUser
from tests.devtools.embedded_postgres.processes import (
    DEADLINE_SECONDS,
    eventually,
    is_gone,
    keeper_pid,
    kill,
    server_pid,
)


def test_a_killed_server_is_replaced_at_the_next_connection(
    data_dir: Path, start_user: StartUser
) -> None:
    user = start_user(data_dir)
    started = user.answer()["started"]

    kill(server_pid(data_dir))

    assert user.connect_again()["started"] != started


def test_a_killed_keeper_leaves_no_server_without_a_keeper(
    data_dir: Path, start_user: StartUser
) -> None:
    user = start_user(data_dir)
    user.answer()
    keeper = keeper_pid(data_dir)

    kill(keeper)
    user.connect_again()

    assert keeper_pid(data_dir) != keeper
    user.end()
    assert eventually(lambda: is_gone(data_dir))


def test_the_server_of_a_killed_keeper_ends_though_nobody_comes(
    data_dir: Path, start_user: StartUser
) -> None:
    """Only Linux tells a child of its parent's death; elsewhere the next user's keeper adopts."""
    user = start_user(data_dir)
    user.answer()
    kill(keeper_pid(data_dir))
    if sys.platform != "linux":
        user.connect_again()
    user.end()

    assert eventually(lambda: is_gone(data_dir))


def test_a_server_that_outlived_its_keeper_is_stopped_too(
    data_dir: Path, start_user: StartUser
) -> None:
    user = start_user(data_dir)
    user.answer()
    # A stopped process cannot act on the kernel's notice, as on systems without one.
    server = psutil.Process(server_pid(data_dir))
    server.suspend()
    kill(keeper_pid(data_dir))
    user.end()
    server.resume()

    stop(data_dir)

    assert is_gone(data_dir)


def test_keeper_and_server_killed_together_are_replaced(
    data_dir: Path, start_user: StartUser
) -> None:
    user = start_user(data_dir)
    started = user.answer()["started"]

    for pid in (keeper_pid(data_dir), server_pid(data_dir)):
        kill(pid)

    assert user.connect_again()["started"] != started


def test_leftovers_that_name_the_pid_of_a_living_process_do_not_hinder(
    data_dir: Path, start_user: StartUser
) -> None:
    first = start_user(data_dir)
    first.answer()
    first.end()
    stop(data_dir)
    _leave_crashed_server(data_dir, pid=psutil.Process().pid)

    assert start_user(data_dir).answer()["database"] == "novitai"


def test_a_half_made_cluster_is_made_again(empty_dir: Path, start_user: StartUser) -> None:
    empty_dir.mkdir()
    (empty_dir / "users.lock").touch()
    (empty_dir / "cluster.new").mkdir()
    (empty_dir / "cluster.new" / "PG_VERSION").write_text("18\n")

    assert start_user(empty_dir).answer()["database"] == "novitai"
    assert not (empty_dir / "cluster.new").exists()


def _leave_crashed_server(data_dir: Path, pid: int) -> None:
    """Write what a machine that lost power leaves: pid file, socket and its lock, our address."""
    run = data_dir / "run"
    run.mkdir()
    lines = [str(pid), str(data_dir / "cluster"), "1", "5432", str(run), "", "", "ready"]
    (data_dir / "cluster" / "postmaster.pid").write_text("\n".join(lines) + "\n")
    owner = (data_dir / "cluster").stat()
    os.chown(data_dir / "cluster" / "postmaster.pid", owner.st_uid, owner.st_gid)
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(os.fspath(run / ".s.PGSQL.5432"))
    (run / ".s.PGSQL.5432.lock").write_text("\n".join(lines) + "\n")
    (data_dir / "keeper.lock").write_text(f"{pid}\n{run}\n")


def test_a_server_without_a_keeper_is_adopted_as_it_runs(data_dir: Path) -> None:
    layout = open_layout(data_dir)
    child = start_postmaster(layout, timeout_seconds=DEADLINE_SECONDS)

    adopted = start_postmaster(layout, timeout_seconds=DEADLINE_SECONDS)

    assert (adopted.pid, adopted.info, adopted.child) == (child.pid, child.info, None)
    child.stop()
    assert not adopted.is_alive()
