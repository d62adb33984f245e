"""Answers of the statistics endpoint: the project's own jobs, and with the scope ``admin`` also the
jobs in flight, workers and counters of all projects.
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
    """Jobs of the project by status. Completed and cancelled ones are counted in ``ended``."""

    pending: int = Field(description="exact up to 100,000")
    processing: int = Field(description="exact up to 100,000")
    failed: int = Field(description="failed and not yet deleted; exact up to 1,000")
    isCapped: bool | None = Field(None, description="true if a count reached its limit")

    @classmethod
    def of(cls, counts: list[Count]) -> Self:
        sums = stats.statuses(counts)
        is_capped = sums[JobStatus.FAILED] >= stats.FAILED_CAP or any(
            sums[status] >= stats.LIVE_CAP for status in (JobStatus.PENDING, JobStatus.PROCESSING)
        )
        return cls(**sums, isCapped=is_capped or None)


class JobTypeStats(Answer):
    """One job type: the project's own jobs, and the limit that all projects share."""

    type: str
    isPaused: bool = Field(description="true if an operator paused the type")
    isRecurring: bool = Field(description="true for jobs of the service itself, of no project")
    pending: int
    processing: int
    failed: int
    oldestDueSeconds: Number | None = None
    inFlight: int = Field(
        description="running jobs of the project; with the scope admin, of all projects"
    )
    maxInFlight: int = Field(description="highest number of running jobs, all projects together")
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
        """``counts``: the counts of this type only."""
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
    """Jobs that ended in the last ``minutes``."""

    minutes: int
    completed: int
    failed: int
    cancelled: int
    endedPerMinute: Number
    failedPerMinute: Number
    isCapped: bool | None = Field(
        None, description="true if more jobs ended than are counted; the rates are still right"
    )

    @classmethod
    def of(cls, window: timedelta, endings: list[Ended]) -> Self:
        """The rates are right even if the counts do not cover the whole window."""
        found = {ending.status: ending for ending in endings if ending.asked == window}
        return cls(
            minutes=window // timedelta(minutes=1),
            **{str(status): found[status].rows for status in ENDED},
            endedPerMinute=round(sum(ending.per_minute for ending in found.values()), 2),
            failedPerMinute=round(found[JobStatus.FAILED].per_minute, 2),
            isCapped=any(ending.window < window for ending in found.values()) or None,
        )


class RunningJob(Answer):
    """A job that a worker runs; with its id only if it belongs to the caller's project."""

    job: str | None = None
    type: str
    seconds: Number


class WorkerDetails(Answer):
    """A worker process, by its last heartbeat."""

    host: str
    pid: int
    startedAt: Moment
    lastHeartbeatAt: Moment
    isAlive: bool = Field(description="true if the last heartbeat is at most 20 seconds old")
    inFlight: int = Field(description="number of jobs that it runs")
    running: list[RunningJob] = Field(description="its longest-running jobs")

    @classmethod
    def of(cls, worker: Worker, is_alive: bool, own: set[str], now: datetime) -> Self:
        """``own``: ids of jobs that the caller may see. Other jobs are shown by type and duration
        only: this explains a wait without naming the job of another project.
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
    """The state of the queue."""

    timestamp: Moment
    jobs: JobCounts
    oldestDueSeconds: Number | None = Field(
        None, description="how long the oldest due job of an active type waits; absent: none"
    )
    types: list[JobTypeStats]
    ended: list[EndedJobs] = Field(description="over the last 1, 5 and 60 minutes")
    workers: list[WorkerDetails] = Field(description="empty without the scope admin")
    counters: dict[str, int] = Field(
        description="since the database was created; empty without the scope admin"
    )

    @classmethod
    def of(cls, project: Project, *, now: datetime, of_all: bool) -> Self:
        """Executes eight short queries. Counts are of the project. ``of_all``: jobs in flight,
        workers and counters of all projects; else only the project's jobs in flight.
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
    """None if no job is due. The caller leaves out paused types from the total of all types."""
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
