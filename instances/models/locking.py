"""Loads and locks the instances of jobs: one query, always in the same lock order."""

from collections.abc import Iterable

from instances.domain.types import Cause
from instances.models import Instance
from jobs.models import Job


def instances_of(jobs: Iterable[Job]) -> dict[str, Instance]:
    """Instances of the jobs by public id, in one query."""
    rows = Instance.objects.select_related("project").filter(
        public_id__in={job.subject for job in jobs}
    )
    return {row.public_id: row for row in rows}


def locked_instances(jobs: Iterable[Job]) -> dict[str, Instance]:
    """Instances of the jobs by public id, locked in the order of public ids, as everywhere."""
    rows = (
        Instance.objects.select_for_update(of=["self"])
        .select_related("project")
        .filter(public_id__in={job.subject for job in jobs})
        .order_by("public_id")
    )
    return {row.public_id: row for row in rows}


def cause_of(job: Job, reason: str) -> Cause:
    return Cause("worker", reason=reason, request_id=job.request_id, job_id=job.public_id)
