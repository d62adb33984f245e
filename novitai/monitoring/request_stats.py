"""Load of the service over all web processes, and free resources of the machine."""

import os
import threading
import time
from collections import deque
from dataclasses import dataclass, field

import psutil

from novitai.monitoring.metrics import request_registry
from novitai.openapi.own_addresses import Cpu, Memory, System

WINDOW_SECONDS = 60.0
_STARTED_AT = float(os.environ.get("NOVITAI_STARTED_AT") or time.time())
_REQUESTS = "django_http_requests_latency_including_middlewares_seconds"
_BY_STATUS = "django_http_responses_total_by_status_total"


@dataclass(frozen=True, slots=True)
class Totals:
    """The request counters of all processes at a time (monotonic clock)."""

    at: float
    requests: float = 0.0
    seconds: float = 0.0
    errors: float = 0.0


@dataclass
class Window:
    """Differences between now and about a minute ago, from totals that only grow.

    Each probe leaves a sample; the next ones measure from the youngest that is a minute old,
    or, while there is none, from the start.
    """

    started: Totals = field(default_factory=lambda: Totals(at=time.monotonic() - uptime_seconds()))
    _samples: deque[Totals] = field(default_factory=deque)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def performance(self, now: Totals) -> dict[str, float]:
        """Requests per minute, milliseconds per request, share of 5xx."""
        base = self._base(now)
        minutes = max(now.at - base.at, 1.0) / 60
        requests = now.requests - base.requests
        return {
            "requestsPerMinute": round(requests / minutes, 2),
            "averageResponseTime": round(_share(now.seconds - base.seconds, requests) * 1000, 2),
            "errorRate": round(_share(now.errors - base.errors, requests), 4),
        }

    def _base(self, now: Totals) -> Totals:
        with self._lock:
            while len(self._samples) > 1 and self._samples[1].at <= now.at - WINDOW_SECONDS:
                self._samples.popleft()
            base = self._samples[0] if self._samples else self.started
            if not self._samples or now.at - self._samples[-1].at >= 1.0:
                self._samples.append(now)
        return base if base.at <= now.at - WINDOW_SECONDS else self.started


def request_totals() -> Totals:
    """Add up the counters of all web processes."""
    sums = {"count": 0.0, "sum": 0.0, "errors": 0.0}
    for family in request_registry().collect():
        for sample in family.samples:
            if sample.name in (f"{_REQUESTS}_count", f"{_REQUESTS}_sum"):
                sums[sample.name.rpartition("_")[2]] += sample.value
            elif sample.name == _BY_STATUS and sample.labels["status"].startswith("5"):
                sums["errors"] += sample.value
    return Totals(time.monotonic(), sums["count"], sums["sum"], sums["errors"])


def uptime_seconds() -> float:
    """Since the server's start; that of a single worker process says little."""
    return max(time.time() - _STARTED_AT, 0.0)


def system() -> System:
    """Memory of the machine in MB, of this process in bytes; CPU in percent since last read."""
    memory = psutil.virtual_memory()
    return System(
        memory=Memory(
            usedMB=memory.used // 2**20,
            totalMB=memory.total // 2**20,
            rss=psutil.Process().memory_info().rss,
        ),
        cpu=Cpu(
            usage=psutil.cpu_percent(interval=None),
            loadAverage=[round(load, 2) for load in os.getloadavg()],
        ),
    )


def _share(part: float, whole: float) -> float:
    return part / whole if whole > 0 else 0.0
