"""How the launcher hears that it shall end."""

import os
import signal

import pytest

from launcher.ending import SIGNALS, Ending
from launcher.errors import ToldToEnd


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_cuts_a_sleep_short(ending: Ending, number: signal.Signals) -> None:
    os.kill(os.getpid(), number)
    with pytest.raises(ToldToEnd):
        ending.sleep(3600)
    assert ending.signal == number


def test_more_signals_than_a_pipe_holds_are_one(ending: Ending) -> None:
    for _ in range(70_000):
        signal.raise_signal(signal.SIGTERM)
    with pytest.raises(ToldToEnd):
        ending.sleep(3600)


def test_a_sleep_that_nothing_disturbs_ends_by_itself(ending: Ending) -> None:
    ending.sleep(0.001)
    assert not ending.is_due


def test_the_death_of_make_ends_the_launcher_but_no_other_parents_does(
    ending: Ending, monkeypatch: pytest.MonkeyPatch
) -> None:
    below_make = Ending({"MAKELEVEL": "1"})
    monkeypatch.setattr(os, "getppid", lambda: 1)
    assert below_make.is_due
    assert not ending.is_due
