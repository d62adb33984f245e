"""The parts' logs: what of them is shown, and how large they get."""

from pathlib import Path

from devtools.launcher.logs import LogFollower, fresh_log, tail

INFO = "2026-11-22T02:03:41.588133Z [info     ] http_request [novitai] status=200\n"
ERROR = "2026-11-22T02:03:42.000000Z [error    ] job_failed [jobs] job_id=7\n"
TRACEBACK = 'Traceback (most recent call last):\n  File "a.py", line 1\nValueError: no\n'
JSON_ERROR = '{"event": "job_failed", "level": "error"}\n'


def append(path: Path, text: str) -> None:
    with path.open("a") as file:
        file.write(text)


def test_errors_are_shown_with_their_tracebacks_and_nothing_else(tmp_path: Path) -> None:
    log = fresh_log(tmp_path / "web.log")
    append(log, INFO + ERROR + TRACEBACK + INFO + JSON_ERROR)
    shown = "\n".join(LogFollower(log).new_errors()) + "\n"
    assert shown == ERROR + TRACEBACK + JSON_ERROR


def test_every_line_is_shown_once_and_only_when_it_is_complete(tmp_path: Path) -> None:
    log = fresh_log(tmp_path / "web.log")
    follower = LogFollower(log)
    append(log, ERROR[:40])
    assert follower.new_errors() == []
    append(log, ERROR[40:])
    assert follower.new_errors() == [ERROR.rstrip()]
    assert follower.new_errors() == []


def test_a_log_that_grows_is_moved_aside_while_its_writer_goes_on(
    tmp_path: Path,
) -> None:
    log = fresh_log(tmp_path / "web.log")
    follower = LogFollower(log, limit_bytes=100)
    with log.open("a", buffering=1) as writer:
        writer.write(INFO * 2)
        follower.new_errors()
        assert log.stat().st_size == 0
        writer.write(ERROR)
    assert follower.new_errors() == [ERROR.rstrip()]
    assert log.read_text() == ERROR
    assert (tmp_path / "web.log.1").read_text() == INFO * 2


def test_a_start_keeps_the_log_of_the_last_one_and_no_older(tmp_path: Path) -> None:
    for text in ("first", "second", "third"):
        append(fresh_log(tmp_path / "logs" / "web.log"), text)
    assert (tmp_path / "logs" / "web.log").read_text() == "third"
    assert (tmp_path / "logs" / "web.log.1").read_text() == "second"
    assert len(list((tmp_path / "logs").iterdir())) == 2


def test_the_tail_of_a_log_is_its_last_lines_and_of_none_is_empty(tmp_path: Path) -> None:
    log = tmp_path / "web.log"
    assert tail(log) == ""
    append(log, "".join(f"line {number}\n" for number in range(10_000)))
    assert tail(log, 2) == "line 9998\nline 9999"
