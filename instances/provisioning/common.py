"""Helpers of all create steps."""

from datetime import timedelta

from instances.domain.enums import BillingMode, FailureCode, OnStartFailure
from instances.domain.types import Failure, InstanceRequest
from instances.models import Instance
from jobs.outcomes import GiveUp

RETRY_AFTER = timedelta(seconds=2)


def spec_of(instance: Instance) -> InstanceRequest:
    return InstanceRequest(
        name=instance.name,
        product_name=instance.product_name,
        template_id=instance.template_id,
        region=instance.region,
        gpu_num=instance.gpu_num,
        rootfs_size_gb=instance.rootfs_size_gb,
        has_default_rootfs=instance.has_default_rootfs,
        billing_mode=BillingMode(instance.billing_mode),
        webhook_url=instance.webhook_url,
        max_price_per_hour_e5_usd=instance.max_price_per_hour_e5_usd,
        max_runtime_minutes=instance.max_runtime_minutes,
        on_start_failure=OnStartFailure(instance.on_start_failure),
    )


def count_unanswered(instance: Instance) -> None:
    """Count a create of this offer whose outcome stayed unknown (see submit). Saves nothing."""
    times = instance.unanswered_offers.get(instance.product_id, 0) + 1
    instance.unanswered_offers[instance.product_id] = times


def given_up(failure: Failure) -> GiveUp:
    """End the job; on_give_up then fails the instance with this code and message."""
    return GiveUp(f"{failure.code}: {failure.message}")


def failure_of(error: str) -> Failure:
    """The failure of a given-up job; other errors become INTERNAL_ERROR."""
    code, _, message = error.partition(": ")
    if code in FailureCode.values:
        return Failure(code, message)
    return Failure(FailureCode.INTERNAL_ERROR, f"The create failed permanently: {error[:500]}")
