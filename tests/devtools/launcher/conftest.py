"""Signals are the process's: every test of them puts back what was there."""

import signal
from collections.abc import Iterator

import pytest

from devtools.launcher.shutdown import SIGNALS, Shutdown


@pytest.fixture
def shutdown() -> Iterator[Shutdown]:
    before = {number: signal.getsignal(number) for number in SIGNALS}
    # nohup ignores it, and we inherit that.
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    with Shutdown({}) as shutdown:
        yield shutdown
    for number, handler in before.items():
        signal.signal(number, handler)
