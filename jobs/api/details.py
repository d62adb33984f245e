"""A job as this API writes it: the fields of the contract, and no secrets."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from jobs.models import Job, JobStatus


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
        "createdAt": _iso(job.created_at),
    }
    waits_to_retry = job.status == JobStatus.PENDING and job.processed_at is not None
    optional = {
        "processedAt": _iso(job.processed_at),
        "completedAt": _iso(job.completed_at),
        "nextRetryAt": _iso(job.run_at) if waits_to_retry else None,
        "error": job.error,
        "subject": job.subject,
        "requestId": job.request_id,
    }
    return details | {name: value for name, value in optional.items() if value}


def redacted(value: Any, name: str = "") -> Any:
    """The payload with the query string of every URL field replaced: people put tokens there."""
    if isinstance(value, Mapping):
        return {key: redacted(inner, key) for key, inner in value.items()}
    if isinstance(value, list):
        return [redacted(inner, name) for inner in value]
    if isinstance(value, str) and name.lower().endswith("url"):
        return redact_url(value)
    return value


def redact_url(url: str) -> str:
    """``https://a.example/hook?key=1`` becomes ``https://a.example/hook?…``."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "…"
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, "…" if parts.query else "", ""))


def _iso(moment: datetime | None) -> str | None:
    if moment is None:
        return None
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
