"""Who starts the server, who shares it, and when it ends."""

import os
import subprocess
import sys
from pathlib import Path

from devtools.embedded_postgres import stop
from devtools.embedded_postgres.locks import FileLock
from tests.devtools.embedded_postgres.conftest import StartUser
from tests.devtools.embedded_postgres.processes import (
    environment,
    eventually,
    is_gone,
    processes_on,
    server_pid,
)


def test_the_first_user_gets_a_fresh_server_with_our_database(
    empty_dir: Path, start_user: StartUser
) -> None:
    server = start_user(empty_dir).answer()

    assert server["database"] == "novitai"
    assert (empty_dir.stat().st_mode & 0o777, Path(server["host"]).is_dir()) == (0o700, True)


def test_users_share_one_server_and_it_ends_after_the_last(
    data_dir: Path, start_user: StartUser
) -> None:
    first, second = start_user(data_dir), start_user(data_dir)
    started = first.answer()["started"]
    assert second.answer()["started"] == started

    first.end()
    assert second.connect_again()["started"] == started
    second.end()

    assert eventually(lambda: is_gone(data_dir))
    assert not (data_dir / "run").exists()


def test_many_starters_at_once_get_one_server(empty_dir: Path, start_user: StartUser) -> None:
    users = [start_user(empty_dir) for _ in range(8)]

    assert len({user.answer()["started"] for user in users}) == 1
    assert len(processes_on(empty_dir)) == 2  # one keeper, one server


def test_the_threads_of_a_process_get_one_server(data_dir: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from concurrent.futures import ThreadPoolExecutor\n"
        "from devtools.embedded_postgres import ensure_running\n"
        "with ThreadPoolExecutor(8) as pool:\n"
        "    print(len(set(pool.map(lambda _: ensure_running(Path(sys.argv[1])), range(16)))))\n"
    )
    command = [sys.executable, "-c", code, os.fspath(data_dir)]
    found = subprocess.run(command, env=environment(), capture_output=True, text=True, check=True)

    assert (found.stdout, found.stderr) == ("1\n", "")


def test_the_server_survives_the_pause_between_two_commands(
    data_dir: Path, start_user: StartUser
) -> None:
    first = start_user(data_dir)
    started = first.answer()["started"]
    first.end()

    assert start_user(data_dir).answer()["started"] == started


def test_the_server_ends_after_its_users_were_killed(data_dir: Path, start_user: StartUser) -> None:
    users = [start_user(data_dir) for _ in range(2)]
    for user in users:
        user.answer()
    for user in users:
        user.kill()

    assert eventually(lambda: is_gone(data_dir))


def test_a_forked_child_keeps_the_server_after_its_parent_left(
    data_dir: Path, start_user: StartUser
) -> None:
    user = start_user(data_dir)
    started = user.answer()["started"]
    user.tell("fork")
    assert user.answer()["child"]

    user.wait()

    assert _has_users(data_dir)
    assert user.connect_again()["started"] == started


def test_stop_ends_the_server_under_its_user_who_gets_a_new_one(
    data_dir: Path, start_user: StartUser
) -> None:
    user = start_user(data_dir)
    started = user.answer()["started"]

    stop(data_dir)
    assert is_gone(data_dir)

    assert user.connect_again()["started"] != started


def test_a_removed_data_folder_is_made_anew_under_a_living_user(
    data_dir: Path, start_user: StartUser
) -> None:
    user = start_user(data_dir)
    started = user.answer()["started"]
    old = server_pid(data_dir)
    data_dir.rename(data_dir.with_name("moved away"))

    again = user.connect_again()

    assert again["started"] != started
    assert eventually(lambda: old not in [process.pid for process in processes_on(data_dir)])
    assert _has_users(data_dir)


def _has_users(data_dir: Path) -> bool:
    """What the completer asks before it ends the server."""
    probe = FileLock(data_dir / "users.lock")
    try:
        return not probe.try_exclusive()
    finally:
        probe.close()
