"""Reads Novita's jobs of migrating instances; part of monitor_instance.

An instance whose migration failed stays in `migrating`: only Novita's job shows the failure.
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime

from instances.domain.enums import InstanceStatus
from instances.models import Instance
from upstream.client import NovitaClient
from upstream.errors import NovitaError
from upstream.types import UpstreamJob

JOB_TYPES = ("instanceMigrate", "autoInstanceMigrate")
# Seconds from the start of a migration to the first read of its jobs, and between reads.
EVERY_SECONDS = 30
_BEGINNING = datetime.fromtimestamp(0, tz=UTC)


def to_ask_about(instances: Iterable[Instance], now: datetime) -> tuple[str, ...]:
    """Ids at Novita of instances that are migrating and due for a read of their jobs."""
    return tuple(
        each.upstream_id
        for each in instances
        if each.status == InstanceStatus.MIGRATING and _is_time(each, now)
    )


def failed_moves(client: NovitaClient, upstream_ids: Collection[str]) -> dict[str, UpstreamJob]:
    """The newest job of each instance if it failed; empty if Novita does not answer."""
    newest: dict[str, UpstreamJob] = {}
    for job_type in JOB_TYPES if upstream_ids else ():
        try:
            jobs = client.list_jobs(job_type=job_type)
        except NovitaError:
            return {}
        for job in jobs:
            if job.instance_id in upstream_ids and _is_newer(job, newest):
                newest[job.instance_id] = job
    return {each: job for each, job in newest.items() if job.has_failed}


def calls_for(upstream_ids: Collection[str]) -> int:
    return len(JOB_TYPES) if upstream_ids else 0


def _is_time(instance: Instance, now: datetime) -> bool:
    since, observed_at = instance.status_changed_at, instance.upstream_seen_at or now
    before = (observed_at - since).total_seconds() // EVERY_SECONDS
    return (now - since).total_seconds() // EVERY_SECONDS > max(before, 0)


def _is_newer(job: UpstreamJob, newest: Mapping[str, UpstreamJob]) -> bool:
    known = newest.get(job.instance_id)
    return known is None or (job.created_at or _BEGINNING) > (known.created_at or _BEGINNING)
