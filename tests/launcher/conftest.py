"""Signals are the process's: every test of them puts back what was there."""

import signal
from collections.abc import Iterator

import pytest

from launcher.ending import SIGNALS, Ending


@pytest.fixture
def ending() -> Iterator[Ending]:
    before = {number: signal.getsignal(number) for number in SIGNALS}
    with Ending({}) as ending:
        yield ending
    for number, handler in before.items():
        signal.signal(number, handler)
