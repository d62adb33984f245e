"""Accepts create requests."""

from dataclasses import dataclass, fields
from datetime import datetime, timedelta

from django.conf import settings

from accounts.models import Project
from core.clock import database_now
from instances.domain.enums import InstanceStatus
from instances.domain.types import Cause, InstanceRequest
from instances.lifecycle.jobs import new_create_job
from instances.lifecycle.transitions import record_event
from instances.models import Instance
from instances.services.estimates import median_start
from instances.services.limits import holding_room, limited
from jobs.failpoints import failpoint


@dataclass(frozen=True, slots=True)
class Created:
    """A new instance, and when it is expected to run."""

    instance: Instance
    estimated_ready_at: datetime


def create_instance(
    *, project: Project, spec: InstanceRequest, cause: Cause, now: datetime | None = None
) -> Created:
    """Write the instance, its first event, create job and webhook, in one statement.

    ``now``: database time, if the caller has just read it.
    Raises RequestRejected and InstanceLimitReached, by the project's limits.
    """
    spec = limited(spec, project)
    now = now or database_now()
    instance = Instance(
        project=project,
        made_by=cause.actor[:160],
        created_at=now,
        status_changed_at=now,
        start_deadline_at=now + timedelta(seconds=settings.CONFIG.instance_start_timeout),
        **{field.name: getattr(spec, field.name) for field in fields(spec)},
    )
    job = new_create_job(instance, request_id=cause.request_id)
    with holding_room(project):
        failpoint("accept.before_commit")
        record_event(
            instance,
            "instance.creating",
            cause=cause,
            now=now,
            after=InstanceStatus.CREATING,
            jobs=[job],
        )
    failpoint("accept.after_commit")
    return Created(instance, now + median_start(spec.product_name))
