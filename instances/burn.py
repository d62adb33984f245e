"""What is being charged right now."""

from django.db.models import F, Q, QuerySet, Sum

from instances.models import Instance, UpstreamEnding

# Held and charged: the same rows as Instance.objects.holding(), and so by the same index.
CHARGED = Q(upstream_gone_at=None) & ~Q(upstream_id="") & Q(billing_since__isnull=False)


def hourly_e5_usd(rows: QuerySet[Instance]) -> int:
    """USD an hour of all that is held and charged among these, in 1/100,000."""
    per_hour = Sum(F("price_e5_usd") * F("gpu_num"), default=0)
    return int(rows.order_by().filter(CHARGED).aggregate(total=per_hour)["total"])


def hourly_of(instance: Instance) -> int:
    """The same of one; 0 while nothing is charged."""
    is_charged = instance.is_holding and instance.billing_since is not None
    return (instance.price_e5_usd or 0) * instance.gpu_num if is_charged else 0


def hourly_of_ending(ending: UpstreamEnding) -> int | None:
    """What a GPU that must end costs until it does; None where nobody knows. A duplicate was made
    from the same offer, and costs the same.
    """
    instance: Instance | None = ending.instance
    if ending.confirmed_at is not None or instance is None or instance.price_e5_usd is None:
        return None
    if instance.upstream_id == ending.upstream_id:
        return hourly_of(instance)
    return instance.price_e5_usd * instance.gpu_num
