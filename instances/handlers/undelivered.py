"""record_undelivered: writes into an instance's events that a message was given up."""

from collections.abc import Mapping, Sequence

from core.clock import database_now
from instances.lifecycle.transitions import record_event
from instances.models.locking import cause_of, locked_instances
from jobs.handler import Handler, Resolved, WorkItem
from jobs.models import Job
from jobs.outcomes import Done, Outcome


class RecordUndelivered(Handler[None, None]):
    """An event without a message: that would go to the same receiver."""

    def load(self, jobs: Sequence[Job]) -> Sequence[WorkItem[None] | Resolved]:
        return [WorkItem([job], None) for job in jobs]

    def call(self, work: None) -> None:
        """Nothing is called."""

    def apply(self, jobs: Sequence[Job], work: None, result: None) -> Mapping[int, Outcome]:
        instances = locked_instances(jobs)
        for job in jobs:
            if (instance := instances.get(job.subject)) is not None:
                record_event(
                    instance,
                    "instance.webhook_given_up",
                    cause=cause_of(job, "the message was not delivered"),
                    now=database_now(),
                    data=dict(job.payload),
                )
        return {job.pk: Done() for job in jobs}
