"""send_webhook: jobs of release 0.5.0; their messages move to the lanes of ``webhooks``."""

from collections.abc import Mapping, Sequence

from instances.domain.enums import DeliveryStatus
from instances.lifecycle import former_outbox
from instances.models import WebhookDelivery
from instances.models.locking import locked_instances
from jobs.handler import Handler, Resolved, WorkItem
from jobs.models import Job
from jobs.outcomes import Done, Outcome


class SendInstanceWebhook(Handler[None, None]):
    """Sends nothing itself. Remove it together with ``former_outbox``."""

    def load(self, jobs: Sequence[Job]) -> Sequence[WorkItem[None] | Resolved]:
        return [WorkItem([job], None) for job in jobs]

    def call(self, work: None) -> None:
        """Nothing is called."""

    def apply(self, jobs: Sequence[Job], work: None, result: None) -> Mapping[int, Outcome]:
        for instance in locked_instances(jobs).values():
            former_outbox.take_over(instance)
        return {job.pk: Done() for job in jobs}

    def is_cancellable(self, job: Job) -> bool:
        return True

    def on_cancel(self, job: Job) -> None:
        """The message moves all the same, and can be cancelled there."""
        for instance in locked_instances([job]).values():
            former_outbox.take_over(instance)

    def on_redrive(self, job: Job) -> None:
        named = job.payload.get("deliveryId") if isinstance(job.payload, Mapping) else None
        WebhookDelivery.objects.filter(
            public_id=named, instance__public_id=job.subject, status=DeliveryStatus.FAILED
        ).update(status=DeliveryStatus.PENDING, ended_at=None)
