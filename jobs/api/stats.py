"""How the queue stands, as this API shows it: the caller's own rows, and to whoever may see it
what all share.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Self

from pydantic import Field

from accounts.models import Project
from core.answers import Answer, Moment, Number
from jobs import control, stats
from jobs.handler import JobType, all_types
from jobs.models import ENDED, Job, JobStatus, PausedType, Worker
from jobs.stats import Count, Ended

WINDOWS = (timedelta(minutes=1), timedelta(minutes=5), timedelta(minutes=60))


class JobCounts(Answer):
    """The project's rows; those that ended well are under ``ended``."""

    pending: int = Field(description="exact up to 100,000")
    processing: int = Field(description="exact up to 100,000")
    failed: int = Field(description="failed for good and still kept; exact up to 1,000")
    isCapped: bool | None = Field(None, description="there are more")

    @classmethod
    def of(cls, counts: list[Count]) -> Self:
        sums = stats.statuses(counts)
        is_capped = sums[JobStatus.FAILED] >= stats.FAILED_CAP or any(
            sums[status] >= stats.LIVE_CAP for status in (JobStatus.PENDING, JobStatus.PROCESSING)
        )
        return cls(**sums, isCapped=is_capped or None)


class JobTypeStats(Answer):
    """One job type: the project's own rows, and the slots that all projects share."""

    type: str
    isPaused: bool = Field(description="an operator holds the type back")
    isRecurring: bool = Field(description="the service's own; no project has such jobs")
    pending: int
    processing: int
    failed: int
    oldestDueSeconds: Number | None = None
    inFlight: int = Field(
        description="rows that are worked on: the project's; with the scope admin, of all projects"
    )
    maxInFlight: int = Field(description="how many may be worked on at once")
    pausedAt: Moment | None = None

    @classmethod
    def of(
        cls,
        kind: JobType,
        counts: list[Count],
        paused: PausedType | None,
        in_flight: int,
        now: datetime,
    ) -> Self:
        """``counts``: those of this type."""
        return cls(
            type=str(kind.name),
            isPaused=paused is not None,
            isRecurring=kind.is_recurring,
            **stats.statuses(counts),
            oldestDueSeconds=_oldest(counts, now),
            inFlight=in_flight,
            maxInFlight=kind.max_in_flight,
            pausedAt=paused.paused_at if paused else None,
        )


class EndedJobs(Answer):
    """What ended in the last ``minutes``."""

    minutes: int
    completed: int
    failed: int
    cancelled: int
    endedPerMinute: Number
    failedPerMinute: Number
    isCapped: bool | None = Field(
        None, description="more ended than is counted; the rates are of the newest"
    )

    @classmethod
    def of(cls, window: timedelta, endings: list[Ended]) -> Self:
        """The rates hold even where the counts do not reach back all of the window."""
        found = {ending.status: ending for ending in endings if ending.asked == window}
        return cls(
            minutes=window // timedelta(minutes=1),
            **{str(status): found[status].rows for status in ENDED},
            endedPerMinute=round(sum(ending.per_minute for ending in found.values()), 2),
            failedPerMinute=round(found[JobStatus.FAILED].per_minute, 2),
            isCapped=any(ending.window < window for ending in found.values()) or None,
        )


class RunningJob(Answer):
    """What a worker is at; the id only if the job is the caller's own."""

    job: str | None = None
    type: str
    seconds: Number


class WorkerDetails(Answer):
    """A worker process, as its heartbeat last told."""

    host: str
    pid: int
    startedAt: Moment
    lastHeartbeatAt: Moment
    isAlive: bool = Field(description="heard of within 20 seconds")
    inFlight: int = Field(description="rows it works on")
    running: list[RunningJob] = Field(description="the longest-running of them")

    @classmethod
    def of(cls, worker: Worker, is_alive: bool, own: set[str], now: datetime) -> Self:
        """``own``: the jobs that the caller may know of. What others run is shown by type and
        time: it explains a wait, and names nobody's job.
        """
        since_told = _seconds(now - worker.last_seen_at) if is_alive else 0.0
        return cls(
            host=worker.host,
            pid=worker.pid,
            startedAt=worker.started_at,
            lastHeartbeatAt=worker.last_seen_at,
            isAlive=is_alive,
            inFlight=worker.in_flight,
            running=[
                RunningJob(
                    job=run["job"] if run["job"] in own else None,
                    type=run["type"],
                    seconds=round(run["seconds"] + since_told, 1),
                )
                for run in worker.running
            ],
        )


class JobStats(Answer):
    """How the queue stands."""

    timestamp: Moment
    jobs: JobCounts
    oldestDueSeconds: Number | None = Field(
        None, description="how long the oldest job waits that could start; absent: none"
    )
    types: list[JobTypeStats]
    ended: list[EndedJobs] = Field(description="over the last 1, 5 and 60 minutes")
    workers: list[WorkerDetails] = Field(description="empty without the scope admin")
    counters: dict[str, int] = Field(
        description="of all workers, since the database was made; empty without the scope admin"
    )

    @classmethod
    def of(cls, project: Project, *, now: datetime, of_all: bool) -> Self:
        """Eight short queries. Counts are of the project; what is in flight, workers and counters
        are of all, or left out.
        """
        counts, paused = stats.count(project.pk), control.paused_types()
        in_flight = stats.count_in_flight() if of_all else _own_in_flight(counts)
        counters = stats.counted() if of_all else {}
        endings = stats.ended(WINDOWS, project.pk)
        return cls(
            timestamp=now,
            jobs=JobCounts.of(counts),
            oldestDueSeconds=_oldest([each for each in counts if each.type not in paused], now),
            types=[
                JobTypeStats.of(
                    kind,
                    [each for each in counts if each.type == kind.name],
                    paused.get(str(kind.name)),
                    in_flight.get(str(kind.name), 0),
                    now,
                )
                for kind in sorted(all_types(), key=lambda kind: str(kind.name))
            ],
            ended=[EndedJobs.of(window, endings) for window in WINDOWS],
            workers=_workers(project, now) if of_all else [],
            counters={_camel(name): value for name, value in counters.items()},
        )


def _own_in_flight(counts: list[Count]) -> dict[str, int]:
    return {count.type: count.rows for count in counts if count.status == JobStatus.PROCESSING}


def _oldest(counts: Iterable[Count], now: datetime) -> float | None:
    """None while nothing waits. Of all types together, a paused one is left out."""
    due = [count.oldest_due_at for count in counts if count.oldest_due_at is not None]
    return _seconds(now - min(due)) if due else None


def _workers(project: Project, now: datetime) -> list[WorkerDetails]:
    rows = stats.workers(now)
    told = {run["job"] for worker, _ in rows for run in worker.running}
    own = set(
        Job.objects.filter(public_id__in=told, project=project).values_list("public_id", flat=True)
    )
    return [WorkerDetails.of(worker, is_alive, own, now) for worker, is_alive in rows]


def _seconds(duration: timedelta) -> float:
    return round(max(duration.total_seconds(), 0.0), 1)


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(word.capitalize() for word in others)
