"""How the queue stands, as this API writes it: the caller's own rows, and to whoever may see it
what all share.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from accounts.models import Project
from core.clock import iso
from jobs import control, registry, stats
from jobs.models import ENDED, Job, JobStatus, PausedType, Worker
from jobs.registry import JobType
from jobs.stats import Count, Ended

WINDOWS = (timedelta(minutes=1), timedelta(minutes=5), timedelta(minutes=60))


def stats_details(project: Project, *, now: datetime, of_all: bool) -> dict[str, Any]:
    """Eight short queries. Counts are of the project; what is in flight, workers and counters are
    of all, or left out.
    """
    counts, paused = stats.count(project.pk), control.paused_types()
    in_flight = stats.count_in_flight() if of_all else _own_in_flight(counts)
    counters = stats.counted() if of_all else {}
    return {
        "timestamp": iso(now),
        "jobs": _sums(counts),
        **_oldest([count for count in counts if count.type not in paused], now),
        "types": _types(counts, paused, in_flight, now),
        "ended": _ended(stats.ended(WINDOWS, project.pk)),
        "workers": _workers(project, now) if of_all else [],
        "counters": {_camel(name): value for name, value in counters.items()},
    }


def _sums(counts: list[Count]) -> dict[str, Any]:
    sums: dict[str, Any] = stats.statuses(counts)
    is_capped = sums[JobStatus.FAILED] >= stats.FAILED_CAP or any(
        sums[status] >= stats.LIVE_CAP for status in (JobStatus.PENDING, JobStatus.PROCESSING)
    )
    return sums | ({"isCapped": True} if is_capped else {})


def _own_in_flight(counts: list[Count]) -> dict[str, int]:
    return {count.type: count.rows for count in counts if count.status == JobStatus.PROCESSING}


def _types(
    counts: list[Count],
    paused: Mapping[str, PausedType],
    in_flight: Mapping[str, int],
    now: datetime,
) -> list[dict[str, Any]]:
    return [
        _type(
            kind,
            [count for count in counts if count.type == kind.name],
            paused.get(str(kind.name)),
            in_flight.get(str(kind.name), 0),
            now,
        )
        for kind in sorted(registry.all_types(), key=lambda kind: str(kind.name))
    ]


def _type(
    kind: JobType, counts: list[Count], paused: PausedType | None, in_flight: int, now: datetime
) -> dict[str, Any]:
    details: dict[str, Any] = {
        "type": str(kind.name),
        "isPaused": paused is not None,
        "isRecurring": kind.is_recurring,
        **stats.statuses(counts),
        **_oldest(counts, now),
        "inFlight": in_flight,
        "maxInFlight": kind.max_in_flight,
    }
    if paused is not None:
        details["pausedAt"] = iso(paused.paused_at)
    return details


def _oldest(counts: Iterable[Count], now: datetime) -> dict[str, float]:
    """Absent while nothing waits. Of all types together, a paused one is left out."""
    due = [count.oldest_due_at for count in counts if count.oldest_due_at is not None]
    return {"oldestDueSeconds": _seconds(now - min(due))} if due else {}


def _ended(endings: list[Ended]) -> list[dict[str, Any]]:
    """One entry a window; the rates hold even where the counts do not reach back all of it."""
    entries = []
    for window in WINDOWS:
        of_window = {ending.status: ending for ending in endings if ending.asked == window}
        entry: dict[str, Any] = {
            "minutes": window // timedelta(minutes=1),
            **{str(status): of_window[status].rows for status in ENDED},
            "endedPerMinute": round(sum(ending.per_minute for ending in of_window.values()), 2),
            "failedPerMinute": round(of_window[JobStatus.FAILED].per_minute, 2),
        }
        if any(ending.window < window for ending in of_window.values()):
            entry["isCapped"] = True
        entries.append(entry)
    return entries


def _workers(project: Project, now: datetime) -> list[dict[str, Any]]:
    rows = stats.workers(now)
    told = {run["job"] for worker, _ in rows for run in worker.running}
    own = set(
        Job.objects.filter(public_id__in=told, project=project).values_list("public_id", flat=True)
    )
    return [_worker(worker, is_alive, own, now) for worker, is_alive in rows]


def _worker(worker: Worker, is_alive: bool, own: set[str], now: datetime) -> dict[str, Any]:
    """What others run is shown by type and time: it explains a wait, and names nobody's job."""
    since_told = _seconds(now - worker.last_seen_at) if is_alive else 0.0
    return {
        "host": worker.host,
        "pid": worker.pid,
        "startedAt": iso(worker.started_at),
        "lastHeartbeatAt": iso(worker.last_seen_at),
        "isAlive": is_alive,
        "inFlight": worker.in_flight,
        "running": [
            {
                **({"job": run["job"]} if run["job"] in own else {}),
                "type": run["type"],
                "seconds": round(run["seconds"] + since_told, 1),
            }
            for run in worker.running
        ],
    }


def _seconds(duration: timedelta) -> float:
    return round(max(duration.total_seconds(), 0.0), 1)


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(word.capitalize() for word in others)
