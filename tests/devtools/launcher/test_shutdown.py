"""How the launcher hears that it shall end."""

import os
import pty
import signal
import subprocess
import sys

import pytest

from devtools.launcher.errors import ToldToEnd
from devtools.launcher.process import ROOT
from devtools.launcher.shutdown import SIGNALS, Shutdown

# The leader of a session on a terminal, as make can be, and a child of it, which waits.
WAIT = """
import os, signal, sys
from devtools.launcher.shutdown import Shutdown
from devtools.launcher.errors import ToldToEnd
os.close(os.open(os.ttyname(0), os.O_RDWR))
signal.signal(signal.SIGHUP, signal.SIG_IGN)
if os.fork():
    os.wait()
    sys.exit()
if sys.argv[1] == "plain":
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
with Shutdown({}) as shutdown:
    print("ready", flush=True)
    try:
        shutdown.sleep(60 if sys.argv[1] == "plain" else 1)
        print("slept on", flush=True)
    except ToldToEnd:
        print("told", flush=True)
"""


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_cuts_a_sleep_short(shutdown: Shutdown, number: signal.Signals) -> None:
    os.kill(os.getpid(), number)
    with pytest.raises(ToldToEnd):
        shutdown.sleep(3600)
    assert shutdown.signal == number


def test_more_signals_than_a_pipe_holds_are_one(shutdown: Shutdown) -> None:
    for _ in range(70_000):
        signal.raise_signal(signal.SIGTERM)
    with pytest.raises(ToldToEnd):
        shutdown.sleep(3600)


def test_a_sleep_that_nothing_disturbs_ends_by_itself(shutdown: Shutdown) -> None:
    shutdown.sleep(0.001)
    assert not shutdown.is_due


def test_the_death_of_make_ends_the_launcher_but_no_other_parents_does(
    shutdown: Shutdown, monkeypatch: pytest.MonkeyPatch
) -> None:
    below_make = Shutdown({"MAKELEVEL": "1"})
    monkeypatch.setattr(os, "getppid", lambda: 1)
    assert below_make.is_due
    assert not shutdown.is_due


@pytest.mark.parametrize(("mode", "outcome"), [("plain", b"told\n"), ("nohup", b"slept on\n")])
def test_a_closed_terminal_ends_it_unless_it_is_to_outlive_that(mode: str, outcome: bytes) -> None:
    ours, theirs = pty.openpty()
    leader = subprocess.Popen(
        [sys.executable, "-c", WAIT, mode],
        cwd=ROOT,
        stdin=theirs,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    os.close(theirs)
    assert leader.stdout
    with leader.stdout:
        assert leader.stdout.readline() == b"ready\n"
        os.close(ours)
        assert leader.stdout.readline() == outcome
    leader.wait()
