"""What the API answers about jobs, for the OpenAPI document; a test keeps it equal to the facts."""

from typing import Any

from drf_spectacular.utils import (
    OpenApiExample,
    OpenApiParameter,
    OpenApiResponse,
    extend_schema_field,
    extend_schema_serializer,
)
from rest_framework import serializers

from jobs.api.filters import JobFilter
from jobs.models import JobPriority, JobStatus

Object = serializers.Serializer[Any]


@extend_schema_field({"type": "string", "format": "date-time"})
class MomentField(serializers.CharField):
    """ISO 8601 in UTC with milliseconds."""


class JobDetails(Object):
    """A piece of work, as its row stands."""

    id = serializers.CharField()
    type = serializers.CharField(help_text="create_instance, monitor_instance, send_webhook, …")
    payload = serializers.DictField()
    status = serializers.ChoiceField(JobStatus.choices)
    priority = serializers.ChoiceField(JobPriority.choices)
    attempts = serializers.IntegerField()
    maxAttempts = serializers.IntegerField()
    createdAt = MomentField()
    processedAt = MomentField(required=False, help_text="when work last started")
    completedAt = MomentField(required=False)
    nextRetryAt = MomentField(required=False)
    error = serializers.CharField(required=False)
    subject = serializers.CharField(required=False, help_text="what it is about: an instance's id")
    requestId = serializers.CharField(required=False)


class JobError(Object):
    """What went wrong in an attempt, or what somebody did to the job (then without attempt)."""

    at = MomentField(required=False)
    attempt = serializers.IntegerField(required=False)
    message = serializers.CharField()


class SingleJobDetails(JobDetails):
    """The same, with the last errors, newest last."""

    errors = JobError(many=True)  # type: ignore[assignment]


@extend_schema_serializer(many=False)
class JobList(Object):
    """A page of jobs, newest first."""

    jobs = JobDetails(many=True)
    total = serializers.IntegerField(help_text="exact up to 10,000")
    totalIsCapped = serializers.BooleanField(required=False)
    hasMore = serializers.BooleanField()
    nextCursor = serializers.CharField(required=False)


class JobTypeStats(Object):
    """One job type: the project's own rows, and the slots that all projects share."""

    type = serializers.CharField()
    isPaused = serializers.BooleanField(help_text="an operator holds the type back")
    isRecurring = serializers.BooleanField(help_text="the service's own; no project has such jobs")
    pending = serializers.IntegerField()
    processing = serializers.IntegerField()
    failed = serializers.IntegerField()
    oldestDueSeconds = serializers.FloatField(required=False)
    inFlight = serializers.IntegerField(
        help_text="rows that are worked on: the project's; with the scope admin, of all projects"
    )
    maxInFlight = serializers.IntegerField(help_text="how many may be worked on at once")
    pausedAt = MomentField(required=False)


class JobCounts(Object):
    """The project's rows; those that ended well are under ``ended``."""

    pending = serializers.IntegerField(help_text="exact up to 100,000")
    processing = serializers.IntegerField(help_text="exact up to 100,000")
    failed = serializers.IntegerField(help_text="failed for good and still kept; exact up to 1,000")
    isCapped = serializers.BooleanField(required=False, help_text="there are more")


class EndedJobs(Object):
    """What ended in the last ``minutes``."""

    minutes = serializers.IntegerField()
    completed = serializers.IntegerField()
    failed = serializers.IntegerField()
    cancelled = serializers.IntegerField()
    endedPerMinute = serializers.FloatField()
    failedPerMinute = serializers.FloatField()
    isCapped = serializers.BooleanField(
        required=False, help_text="more ended than is counted; the rates are of the newest"
    )


class RunningJob(Object):
    """What a worker is at; the id only if the job is the caller's own."""

    job = serializers.CharField(required=False)
    type = serializers.CharField()
    seconds = serializers.FloatField()


class WorkerDetails(Object):
    """A worker process, as its heartbeat last told."""

    host = serializers.CharField()
    pid = serializers.IntegerField()
    startedAt = MomentField()
    lastHeartbeatAt = MomentField()
    isAlive = serializers.BooleanField(help_text="heard of within 20 seconds")
    inFlight = serializers.IntegerField(help_text="rows it works on")
    running = RunningJob(many=True, help_text="the longest-running of them")


class JobStats(Object):
    """How the queue stands."""

    timestamp = MomentField()
    jobs = JobCounts()
    oldestDueSeconds = serializers.FloatField(
        required=False, help_text="how long the oldest job waits that could start; absent: none"
    )
    types = JobTypeStats(many=True)
    ended = EndedJobs(many=True, help_text="over the last 1, 5 and 60 minutes")
    workers = WorkerDetails(many=True, help_text="empty without the scope admin")
    counters = serializers.DictField(
        child=serializers.IntegerField(),
        help_text="of all workers, since the database was made; empty without the scope admin",
    )


TAG = ["Jobs"]
_ID = OpenApiParameter("id", str, OpenApiParameter.PATH, description="job_…")
_JOB = {
    "id": "job_486ea46224d1bb4fb680f34f",
    "type": "create_instance",
    "payload": {"instanceId": "inst_12345_abcde"},
    "status": "completed",
    "priority": 3,
    "attempts": 1,
    "maxAttempts": 2147483647,
    "createdAt": "2023-12-01T10:00:00.000Z",
    "processedAt": "2023-12-01T10:00:00.120Z",
    "completedAt": "2023-12-01T10:00:01.250Z",
    "subject": "inst_12345_abcde",
    "requestId": "req_5f2b8c0d9e1a4f6b7c3d2e10",
}
_FAILED = {
    **_JOB,
    "type": "send_webhook",
    "payload": {"deliveryId": "whd_1", "url": "https://myapp.com/…"},
    "status": "failed",
    "priority": 2,
    "attempts": 16,
    "maxAttempts": 16,
    "error": "The receiver answered 500.",
    "errors": [
        {"at": "2023-12-02T14:00:00.000Z", "attempt": 16, "message": "The receiver answered 500."}
    ],
}
_STATS = {
    "timestamp": "2023-12-01T10:30:00.000Z",
    "jobs": {"pending": 2, "processing": 1, "failed": 0},
    "oldestDueSeconds": 0.4,
    "types": [
        {
            "type": "create_instance",
            "isPaused": False,
            "isRecurring": False,
            "pending": 2,
            "processing": 1,
            "failed": 0,
            "oldestDueSeconds": 0.4,
            "inFlight": 1,
            "maxInFlight": 100,
        }
    ],
    "ended": [
        {
            "minutes": 1,
            "completed": 12,
            "failed": 0,
            "cancelled": 0,
            "endedPerMinute": 12.0,
            "failedPerMinute": 0.0,
        }
    ],
    "workers": [
        {
            "host": "worker-1",
            "pid": 41,
            "startedAt": "2023-12-01T09:00:00.000Z",
            "lastHeartbeatAt": "2023-12-01T10:29:58.000Z",
            "isAlive": True,
            "inFlight": 1,
            "running": [
                {"job": "job_486ea46224d1bb4fb680f34f", "type": "create_instance", "seconds": 0.8}
            ],
        }
    ],
    "counters": {"claimed": 4821},
}


def _example(name: str, value: Any) -> list[OpenApiExample]:
    return [OpenApiExample(name, value, response_only=True, status_codes=["200"])]


LIST: dict[str, Any] = {
    "operation_id": "listJobs",
    "summary": "List jobs, newest first",
    "description": "Those of the project's instances; the service's own recurring work is not among"
    " them. Ended jobs are forgotten after a week, failed ones after a month.",
    "tags": TAG,
    "parameters": [JobFilter],
    "responses": {200: OpenApiResponse(JobList, description="A page.")},
    "examples": _example("A page", {"jobs": [_JOB], "total": 1, "hasMore": False}),
}
RETRIEVE: dict[str, Any] = {
    "operation_id": "getJob",
    "summary": "Get a job",
    "description": "With its last errors. Secrets in its payload are blanked.",
    "tags": TAG,
    "parameters": [_ID],
    "responses": {200: OpenApiResponse(SingleJobDetails, description="As it is now.")},
    "examples": _example("A webhook that was given up", _FAILED),
}


def _verb(
    operation_id: str, summary: str, answer: str, refusal: str, status: str
) -> dict[str, Any]:
    job = {**_FAILED, "status": status}
    return {
        "operation_id": operation_id,
        "summary": summary,
        "description": f"{answer} A body is not looked at.",
        "tags": TAG,
        "parameters": [_ID],
        "request": None,
        "responses": {
            200: OpenApiResponse(SingleJobDetails, description="Done."),
            409: OpenApiResponse(description=refusal),
        },
        "examples": _example("The job as it is now", job),
    }


RETRY = _verb(
    "retryJob",
    "Set a failed job going again, with all its attempts",
    "Answers with the job, which is pending again.",
    "JOB_NOT_REDRIVABLE: the job has not failed, its type cannot be run again (a failed instance"
    " stays failed), or the same work is under way already.",
    "pending",
)
CANCEL = _verb(
    "cancelJob",
    "Cancel a job that waits or is being worked on",
    "Answers with the job, which is cancelled. What has been sent already stays sent; its outcome"
    " is no longer written.",
    "JOB_NOT_CANCELLABLE: the job has ended, or its type cannot be cancelled by itself (only"
    " send_webhook can).",
    "cancelled",
)
STATS: dict[str, Any] = {
    "operation_id": "getJobStats",
    "summary": "How the queue stands: counts, waits, rates, workers",
    "description": "The project's own jobs. A key with the scope `admin` sees what all projects "
    "share, too: the rows in flight, the workers, what they counted.",
    "tags": TAG,
    "responses": {200: OpenApiResponse(JobStats, description="As it is now.")},
    "examples": _example("A queue that moves", _STATS),
}
