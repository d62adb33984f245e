"""Notices that the launcher must end: a signal, the end of its terminal, or the end of `make`."""

import contextlib
import os
import select
import signal
from collections.abc import Mapping
from types import FrameType
from typing import Self

from devtools.launcher.errors import ToldToEnd

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_POLL_SECONDS = 0.5


class Shutdown:
    """Sleeps that a signal interrupts. Must be created in the main thread.

    Uses a pipe, not an Event: a handler that interrupts Event.wait may wait for its lock for ever.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        # Below make, make is our parent. It does not pass on every signal, nor its own death.
        self._parent = os.getppid() if "MAKELEVEL" in environ else None
        # An ignored SIGHUP (nohup) means that the launcher must survive its terminal.
        self._may_hang_up = signal.getsignal(signal.SIGHUP) != signal.SIG_IGN
        self._terminal = _foreground_terminal() if self._may_hang_up else None
        self._read, self._write = os.pipe()
        os.set_blocking(self._write, False)
        self.signal: int | None = None

    def __enter__(self) -> Self:
        for number in SIGNALS:
            if number != signal.SIGHUP or self._may_hang_up:
                signal.signal(number, self._hear)
        return self

    def __exit__(self, *_: object) -> None:
        """Ignore signals from now on: everything is being stopped already."""
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        for descriptor in (self._read, self._write, self._terminal):
            if descriptor is not None:
                os.close(descriptor)

    def _hear(self, number: int, _: FrameType | None) -> None:
        self.signal = number
        # A full pipe ends the sleep as well.
        with contextlib.suppress(BlockingIOError):
            os.write(self._write, b"x")

    @property
    def is_due(self) -> bool:
        orphaned = self._parent is not None and os.getppid() != self._parent
        return self.signal is not None or orphaned or _has_hung_up(self._terminal)

    def sleep(self, seconds: float) -> None:
        """Raises ToldToEnd at once if the end is due before or during the sleep."""
        while not self.is_due and seconds > 0:
            pause = min(seconds, _POLL_SECONDS)
            select.select([self._read], [], [], pause)
            seconds -= pause
        if self.is_due:
            raise ToldToEnd


def _foreground_terminal() -> int | None:
    """The terminal, if this process is in its foreground group; else None.

    When a terminal is closed, the kernel informs only the leader of its session. If a window or ssh
    runs nothing but make, make is the leader, and it waits for us without passing this on.
    """
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY)
    except OSError:
        return None
    if os.tcgetpgrp(terminal) == os.getpgrp():
        return terminal
    os.close(terminal)
    return None


def _has_hung_up(terminal: int | None) -> bool:
    if terminal is None:
        return False
    poll = select.poll()
    poll.register(terminal, 0)
    return any(event & select.POLLHUP for _, event in poll.poll(0))
