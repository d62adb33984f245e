"""What the steps of creation share."""

from collections.abc import Iterable, Sequence
from datetime import timedelta

from instances.choices import BillingMode, FailureCode
from instances.models import Instance
from instances.novita.errors import NovitaError
from instances.types import Cause, Failure, Wish
from jobs.models import Job
from jobs.outcomes import Again, GiveUp, Outcome

RETRY_AFTER = timedelta(seconds=2)


def pending_instances(jobs: Sequence[Job]) -> dict[str, Instance]:
    """The jobs' instances by public id, in one query."""
    rows = Instance.objects.select_related("project").filter(
        public_id__in={job.subject for job in jobs}
    )
    return {row.public_id: row for row in rows}


def locked_instances(jobs: Iterable[Job]) -> dict[str, Instance]:
    """The same, locked, in the one order in which instances are locked everywhere."""
    rows = (
        Instance.objects.select_for_update(of=["self"])
        .select_related("project")
        .filter(public_id__in={job.subject for job in jobs})
        .order_by("public_id")
    )
    return {row.public_id: row for row in rows}


def wish_of(instance: Instance) -> Wish:
    return Wish(
        name=instance.name,
        product_name=instance.product_name,
        template_id=instance.template_id,
        region=instance.region,
        gpu_num=instance.gpu_num,
        rootfs_size_gb=instance.rootfs_size_gb,
        billing_mode=BillingMode(instance.billing_mode),
        webhook_url=instance.webhook_url,
    )


def cause_of(job: Job, reason: str) -> Cause:
    return Cause("worker", reason=reason, request_id=job.request_id, job_id=job.public_id)


def ask_again(error: NovitaError) -> Outcome:
    """Later, at the upstream's own pace if it named one. The start deadline ends the asking."""
    seconds = error.retry_after
    return Again(timedelta(seconds=min(seconds, 60)) if seconds else RETRY_AFTER)


def refused(error: NovitaError) -> Failure:
    return Failure(FailureCode.UPSTREAM_REJECTED, f"Novita refused: {error}")


def given_up(failure: Failure) -> GiveUp:
    """End the job; its on_give_up fails the instance with the same code and words."""
    return GiveUp(f"{failure.code}: {failure.message}")


def failure_of(error: str) -> Failure:
    """The failure that a job was given up with; anything else is a fault of this service."""
    code, _, message = error.partition(": ")
    if code in FailureCode.values:
        return Failure(code, message)
    return Failure(FailureCode.INTERNAL_ERROR, f"Creating failed for good: {error[:500]}")
