"""The answers of the jobs API. Secrets are redacted."""

from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import Field

from core.answers import Answer, JsonObject, Moment, OneOf, page_of
from jobs.models import Job, JobPriority, JobStatus
from jobs.redaction import redacted, redacted_text


class JobDetails(Answer):
    """A job: one piece of work of the service."""

    id: str
    type: str = Field(description="create_instance, monitor_instance, send_webhook, …")
    payload: JsonObject
    status: Annotated[str, OneOf(JobStatus)]
    priority: Annotated[int, OneOf(JobPriority)]
    attempts: int
    maxAttempts: int
    createdAt: Moment
    processedAt: Moment | None = Field(None, description="time of the last start")
    completedAt: Moment | None = None
    nextRetryAt: Moment | None = None
    error: str | None = None
    subject: str | None = Field(None, description="id of the instance that the job is about")
    requestId: str | None = None

    @classmethod
    def of(cls, job: Job) -> Self:
        return cls(**_fields(job))


class JobError(Answer):
    """A failed attempt, or an action of a person on the job (then without ``attempt``)."""

    at: Moment | None = None
    message: str
    attempt: int | None = None

    @classmethod
    def of(cls, entry: dict[str, Any]) -> Self:
        """Leaves out tracebacks, which are for operators only."""
        return cls(
            at=datetime.fromisoformat(entry["at"]) if "at" in entry else None,
            message=redacted_text(str(entry.get("error", ""))),
            attempt=entry.get("attempt"),
        )


class SingleJobDetails(JobDetails):
    """A job with its last errors, newest last."""

    errors: list[JobError]

    @classmethod
    def of(cls, job: Job) -> Self:
        return cls(**_fields(job), errors=[JobError.of(entry) for entry in job.errors])


def _fields(job: Job) -> dict[str, Any]:
    waits_to_retry = job.status == JobStatus.PENDING and job.processed_at is not None
    return {
        "id": job.public_id,
        "type": job.type,
        "payload": redacted(job.payload),
        "status": job.status,
        "priority": job.priority,
        "attempts": job.attempts,
        "maxAttempts": job.max_attempts,
        "createdAt": job.created_at,
        "processedAt": job.processed_at,
        "completedAt": job.completed_at,
        "nextRetryAt": job.run_at if waits_to_retry else None,
        "error": redacted_text(job.error) or None,
        "subject": job.subject or None,
        "requestId": job.request_id or None,
    }


JobList = page_of("JobList", "A page of jobs, newest first.", jobs=JobDetails)
