"""Log of the client's calls: counters and the newest calls; in memory only."""

from __future__ import annotations

import threading
from collections import Counter, deque
from dataclasses import dataclass, field

from devtools.simulator.http import Json, Request

LOG_LENGTH = 20_000


@dataclass
class CallLog:
    """Counts are kept until the reset; the log keeps only the newest calls."""

    _lock: threading.Lock = field(default_factory=threading.Lock)
    _counts: Counter[str] = field(default_factory=Counter)
    _log: deque[Json] = field(default_factory=lambda: deque(maxlen=LOG_LENGTH))

    def note(self, request: Request, status: int, real_ms: int, now_ms: int, fault: str) -> None:
        """A status of 0 means that the client got no answer."""
        entry = {
            "realMs": real_ms,
            "simMs": now_ms,
            "method": request.method,
            "path": request.path,
            "query": request.query,
            "requestId": request.headers.get("x-request-id", ""),
            "status": status,
            "fault": fault,
        }
        with self._lock:
            self._counts[f"{request.method} {request.path}"] += 1
            self._log.append(entry)

    def reset(self) -> None:
        with self._lock:
            self._counts.clear()
            self._log.clear()

    def as_json(self, path: str = "") -> Json:
        """Counters and the log; `path` keeps only entries that contain it."""
        with self._lock:
            counts, log = dict(self._counts), list(self._log)
        return {
            "total": sum(counts.values()),
            "counts": counts,
            "log": [entry for entry in log if path in entry["path"]],
        }
