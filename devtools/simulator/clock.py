"""The simulated clock: the real clock, run faster, slower, stopped or moved ahead.

Everything that belongs to the *world* reads this clock: statuses, timestamps in answers, billing,
price drift, spot notices. At scale 60, `createdAt` of an answer therefore gains 59 seconds on the
client's clock each second; durations between timestamps agree with each other and with the bill.
Everything that belongs to the *connection* (injected latency, hangs, rate limits) runs in real
seconds, because the client's sockets do.
"""

from __future__ import annotations

import time
from collections.abc import Callable


def real_now_ms() -> int:
    """Milliseconds since 1970. The wall clock, because the anchor must survive a restart."""
    return time.time_ns() // 1_000_000


class SimulatedClock:
    """Simulated time is a linear function through an anchor; a new speed moves the anchor.

    It goes on while the simulator is down, as the billing of real GPUs does.
    """

    def __init__(
        self,
        scale: float = 1.0,
        real_ms: Callable[[], int] = real_now_ms,
        anchor: tuple[int, int] | None = None,
    ) -> None:
        self._real_ms = real_ms
        self._anchor_real_ms, self._anchor_sim_ms = anchor or (real_ms(), real_ms())
        self.scale = scale

    @property
    def anchor(self) -> tuple[int, int]:
        """The real and the simulated milliseconds of one common instant."""
        return self._anchor_real_ms, self._anchor_sim_ms

    def now_ms(self) -> int:
        elapsed_ms = self._real_ms() - self._anchor_real_ms
        return self._anchor_sim_ms + round(elapsed_ms * self.scale)

    def advance(self, seconds: float) -> None:
        self._anchor_sim_ms += round(seconds * 1000)

    def set_scale(self, scale: float) -> None:
        """Change the speed from now on. At 0 the clock stops and only `advance` moves it."""
        self._anchor_real_ms, self._anchor_sim_ms = self._real_ms(), self.now_ms()
        self.scale = scale
