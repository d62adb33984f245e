"""Accepting a wish."""

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction

from accounts.models import Project
from instances.choices import InstanceStatus
from instances.creation_job import enqueue_create
from instances.database_clock import database_now
from instances.estimates import median_start
from instances.models import Instance
from instances.services.limits import check_room, limited
from instances.transitions import record_event
from instances.types import Cause, Wish
from jobs.crashpoints import crashpoint


@dataclass(frozen=True, slots=True)
class Created:
    """A new instance and when it can be expected to run."""

    instance: Instance
    estimated_ready_at: datetime


def create_instance(*, project: Project, wish: Wish, cause: Cause) -> Created:
    """Accept a wish: instance, first event, create job and first webhook, in one commit.

    Raises WishRefused and InstanceLimitReached, by the project's limits.
    """
    wish = limited(wish, project)
    with transaction.atomic():
        check_room(project)
        now = database_now()
        instance = Instance(
            project=project,
            created_at=now,
            status_changed_at=now,
            start_deadline_at=now + timedelta(seconds=settings.CONFIG.instance_start_timeout),
            **asdict(wish),
        )
        record_event(
            instance, "instance.creating", cause=cause, now=now, after=InstanceStatus.CREATING
        )
        enqueue_create(instance, request_id=cause.request_id)
        crashpoint("accept.before_commit")
    crashpoint("accept.after_commit")
    return Created(instance, now + median_start(wish.product_name))
