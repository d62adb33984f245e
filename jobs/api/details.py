"""A job as this API writes it: the fields of the contract, and no secrets."""

from datetime import datetime
from typing import Any

from core.clock import iso, optional_iso
from jobs.models import Job, JobStatus
from jobs.redaction import redacted, redacted_text


def job_details(job: Job) -> dict[str, Any]:
    """Optional fields are absent rather than null. Tracebacks are for operators, not in here."""
    details: dict[str, Any] = {
        "id": job.public_id,
        "type": job.type,
        "payload": redacted(job.payload),
        "status": job.status,
        "priority": job.priority,
        "attempts": job.attempts,
        "maxAttempts": job.max_attempts,
        "createdAt": iso(job.created_at),
    }
    waits_to_retry = job.status == JobStatus.PENDING and job.processed_at is not None
    optional = {
        "processedAt": optional_iso(job.processed_at),
        "completedAt": optional_iso(job.completed_at),
        "nextRetryAt": iso(job.run_at) if waits_to_retry else None,
        "error": redacted_text(job.error),
        "subject": job.subject,
        "requestId": job.request_id,
    }
    return details | {name: value for name, value in optional.items() if value}


def single_job_details(job: Job) -> dict[str, Any]:
    """The same, and what went wrong before: too much for every row of a list."""
    return job_details(job) | {"errors": [_error_details(entry) for entry in job.errors]}


def _error_details(entry: dict[str, Any]) -> dict[str, Any]:
    """Of an attempt, or of what was done to the job by hand, which is no attempt."""
    details = {"at": _at(entry), "message": redacted_text(str(entry.get("error", "")))}
    if "attempt" in entry:
        details["attempt"] = entry["attempt"]
    return {name: value for name, value in details.items() if value is not None}


def _at(entry: dict[str, Any]) -> str | None:
    return iso(datetime.fromisoformat(entry["at"])) if "at" in entry else None
