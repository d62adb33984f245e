"""OpenAPI documentation of the operations on jobs."""

from typing import Any

from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse

from jobs.api.answers import JobList, SingleJobDetails
from jobs.api.filters import JobFilter
from jobs.api.stats import JobStats

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
    "description": "Jobs of the project's instances; recurring jobs of the service itself are not"
    " listed. Ended jobs are deleted after a week, failed ones after a month.",
    "tags": TAG,
    "parameters": [JobFilter],
    "responses": {200: OpenApiResponse(JobList, description="A page.")},
    "examples": _example("A page", {"jobs": [_JOB], "total": 1, "hasMore": False}),
}
RETRIEVE: dict[str, Any] = {
    "operation_id": "getJob",
    "summary": "Get a job",
    "description": "With its last errors. Secrets in the payload are replaced.",
    "tags": TAG,
    "parameters": [_ID],
    "responses": {200: OpenApiResponse(SingleJobDetails, description="The present state.")},
    "examples": _example("A webhook whose attempts are used up", _FAILED),
}


def _verb(
    operation_id: str, summary: str, answer: str, refusal: str, status: str
) -> dict[str, Any]:
    job = {**_FAILED, "status": status}
    return {
        "operation_id": operation_id,
        "summary": summary,
        "description": f"{answer} A request body is ignored.",
        "tags": TAG,
        "parameters": [_ID],
        "request": None,
        "responses": {
            200: OpenApiResponse(SingleJobDetails, description="The job after the action."),
            409: OpenApiResponse(description=refusal),
        },
        "examples": _example("The job after the action", job),
    }


RETRY = _verb(
    "retryJob",
    "Run a failed job again, with all its attempts",
    "Returns the job, which is pending again.",
    "JOB_NOT_REDRIVABLE: the job has not failed, its type cannot be run again (a failed instance"
    " stays failed), or another live job does the same work.",
    "pending",
)
CANCEL = _verb(
    "cancelJob",
    "Cancel a waiting or running job",
    "Returns the job, which is cancelled. A message that was already sent stays sent; its"
    " outcome is not stored.",
    "JOB_NOT_CANCELLABLE: the job has ended, or its type cannot be cancelled by itself (only"
    " send_webhook can).",
    "cancelled",
)
STATS: dict[str, Any] = {
    "operation_id": "getJobStats",
    "summary": "Get the state of the queue: counts, ages, rates, workers",
    "description": "The project's own jobs. A key with the scope `admin` also sees the "
    "running jobs, workers and counters of all projects.",
    "tags": TAG,
    "responses": {200: OpenApiResponse(JobStats, description="The present state.")},
    "examples": _example("A queue in operation", _STATS),
}
