"""What instances provide to the app ``webhooks``: their subjects are instance ids."""

from collections.abc import Sequence
from decimal import Decimal

from accounts.models import Project
from instances.lifecycle.jobs import enqueue_undelivered
from instances.models import Instance
from instances.novita import installation, metric_counters
from jobs.handler import Resolved
from jobs.models import Job
from webhooks.models import Delivery


class InstancesOwner:
    """Registered when Django is ready."""

    def has_subject(self, project: Project, subject: str) -> bool:
        if "\0" in subject:
            return False
        return Instance.objects.of(project).filter(public_id=subject).exists()

    def tell_undelivered(self, delivery: Delivery) -> None:
        """A job writes the event: here jobs are locked, and an instance must not be waited for."""
        if delivery.subject != delivery.message.public_id:
            enqueue_undelivered(delivery)

    def paused(self, jobs: Sequence[Job]) -> Sequence[Resolved]:
        """A copy of the database has the original's messages: they must not be sent twice."""
        return installation.paused_if_copy(jobs)

    def count_attempts(self, outcomes: dict[str, int]) -> None:
        metric_counters.add(
            {
                metric_counters.key("webhook_attempts_total", outcome=outcome): Decimal(number)
                for outcome, number in outcomes.items()
            }
        )
