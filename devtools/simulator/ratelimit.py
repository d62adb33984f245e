"""The service's request limit: a number of calls in any 60 seconds of real time."""

from __future__ import annotations

import threading
from collections import deque

WINDOW_MS = 60_000


class RateLimiter:
    """A sliding window; refused calls do not count."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._taken: deque[int] = deque()

    def wait_seconds(self, limit: int, real_ms: int) -> int:
        """0 if the call is accepted (and counted), else the whole seconds to wait."""
        if limit <= 0:
            return 0
        with self._lock:
            while self._taken and self._taken[0] <= real_ms - WINDOW_MS:
                self._taken.popleft()
            if len(self._taken) < limit:
                self._taken.append(real_ms)
                return 0
            oldest_that_blocks = self._taken[-limit]
            return -((real_ms - WINDOW_MS - oldest_that_blocks) // 1000)
