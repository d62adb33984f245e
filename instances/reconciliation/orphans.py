"""Reports, adopts or ends orphans: GPUs with our signature that belong to no row."""

from datetime import datetime, timedelta

from django.conf import settings
from django.utils.text import slugify

from accounts.services import get_default_project
from core.clock import iso
from instances.domain.enums import (
    TRANSITIONAL_STATUSES,
    BillingMode,
    CreateStep,
    InstanceStatus,
    OrphanPolicy,
    OrphanState,
    StatusReason,
)
from instances.domain.schedule import next_observation
from instances.domain.types import Cause, Reason
from instances.lifecycle.charges import CHARGED_WORDS
from instances.lifecycle.jobs import enqueue_monitor
from instances.lifecycle.transitions import record_event
from instances.models import Instance, Orphan
from instances.monitoring import status_shown
from instances.reconciliation.report import Report
from instances.reconciliation.scan import ReconcileWork, Seen
from instances.services.terminate import begin_termination
from upstream.types import UpstreamInstance

# A complete list has not shown the orphan for this long: it is gone.
FORGOTTEN_AFTER = timedelta(minutes=10)


def handle(
    seen: Seen, work: ReconcileWork, report: Report, *, account: str, cause: Cause, now: datetime
) -> None:
    """Record every orphan; after ORPHAN_GRACE, apply the policy."""
    known = _with_a_row(seen, account)
    for reference in sorted(seen.ours.keys() - known):
        # A second GPU of the same reference is a duplicate of the first as soon as that one has a
        # row.
        first, *others = [(_note(item, account, now), item) for item in seen.ours[reference]]
        for orphan, item in [first, *others][: 1 if _acts() else None]:
            if orphan.state == OrphanState.SEEN:
                _apply_policy(orphan, item, reference, report, cause=cause, now=now)
    if seen.is_complete:
        _forget(account, now)


def _with_a_row(seen: Seen, account: str) -> set[str]:
    """References that a row has, and those of GPUs that a row holds under another name."""
    asked = Instance.objects.filter(reference__in=list(seen.ours))
    found = set(asked.values_list("reference", flat=True))
    by_id = {item.id: reference for reference, items in seen.ours.items() for item in items}
    held = Instance.objects.filter(upstream_account=account, upstream_id__in=list(by_id))
    return found | {by_id[each] for each in held.values_list("upstream_id", flat=True)}


def _acts() -> bool:
    return OrphanPolicy(settings.CONFIG.orphan_policy) != OrphanPolicy.REPORT


def _note(item: UpstreamInstance, account: str, now: datetime) -> Orphan:
    """Create or update the orphan's row; one that was gone starts again."""
    orphan, is_new = Orphan.objects.get_or_create(
        account=account,
        upstream_id=item.id,
        defaults={"upstream_name": item.name[:255], "first_seen_at": now},
    )
    if not is_new and orphan.state == OrphanState.GONE:
        orphan.state, orphan.first_seen_at = OrphanState.SEEN, now
    orphan.last_seen_at = now
    orphan.upstream_status = item.status[:40]
    orphan.product_name = item.product_name[:255]
    orphan.gpu_num = max(item.gpu_num, 1)
    orphan.price_e5_usd = item.price_e5_usd
    orphan.save()
    return orphan


def _apply_policy(
    orphan: Orphan,
    item: UpstreamInstance,
    reference: str,
    report: Report,
    *,
    cause: Cause,
    now: datetime,
) -> None:
    policy = OrphanPolicy(settings.CONFIG.orphan_policy)
    grace = timedelta(seconds=settings.CONFIG.orphan_grace)
    left = grace - (now - orphan.first_seen_at)
    if policy == OrphanPolicy.REPORT or left > timedelta(0):
        at = iso(orphan.first_seen_at + grace)
        plan = "only reported" if policy == OrphanPolicy.REPORT else f"{policy} after {at}"
        report.add("orphan", f"{item.name}: {plan}", upstream_id=item.id)
        return
    instance = _adopt(item, reference, cause=cause, now=now)
    orphan.instance = instance
    orphan.state = OrphanState.ADOPTED
    if policy == OrphanPolicy.TERMINATE:
        orphan.state = OrphanState.ENDED
        message = "A GPU with the signature of this installation that belongs to no instance."
        because = Cause(cause.actor, message, cause.request_id, cause.job_id)
        reason = Reason(StatusReason.ORPHANED, message)
        begin_termination(instance, cause=because, now=now, reason=reason)
    orphan.save()
    report.add(
        f"orphan_{orphan.state}", item.name, upstream_id=item.id, instance=instance.public_id
    )


def _adopt(item: UpstreamInstance, reference: str, *, cause: Cause, now: datetime) -> Instance:
    """Create a row in the default project, as if its request had been found again.

    ``posted_at`` stays empty, so that it is not counted in estimates of start times.
    """
    status = status_shown(item, has_run=True)
    instance = Instance(
        project=get_default_project(),
        name=slugify(item.name.rsplit("-", 3)[0])[:100] or "orphan",
        product_name=item.product_name[:200] or "unknown",
        template_id="",
        gpu_num=max(item.gpu_num, 1),
        rootfs_size_gb=item.rootfs_size_gb,
        region=_region_of(item),
        billing_mode=BillingMode.SPOT if item.billing_mode == "spot" else BillingMode.ON_DEMAND,
        webhook_url=settings.CONFIG.report_webhook_url,
        status=status,
        status_changed_at=now,
        created_at=item.created_at or now,
        started_at=item.created_at or now,
        billing_since=(item.created_at or now) if item.status in CHARGED_WORDS else None,
        ready_at=(item.last_started_at or now) if status != InstanceStatus.STARTING else None,
        start_deadline_at=now + timedelta(seconds=settings.CONFIG.instance_start_timeout),
        create_step=CreateStep.PLACED,
        reference=reference,
        upstream_name=item.name,
        upstream_account=settings.CONFIG.upstream_account,
        upstream_id=item.id,
        upstream_status=item.status,
        upstream_seen_at=now,
        upstream_changed_at=now,
        product_id=item.product_id,
        cluster_id=item.cluster_id,
        price_e5_usd=item.price_e5_usd,
    )
    because = Cause(cause.actor, "found at Novita with our signature", "", cause.job_id)
    data = {"novitaInstanceId": item.id, "isOrphan": True}
    record_event(instance, f"instance.{status}", cause=because, now=now, after=status, data=data)
    if status in TRANSITIONAL_STATUSES:
        enqueue_monitor(instance, at=next_observation(now))
    return instance


def _region_of(item: UpstreamInstance) -> str:
    regions = settings.CONFIG.regions
    found = (code for code, place in regions.items() if place.cluster == item.cluster_id)
    return next(found, item.cluster_id[:60])


def _forget(account: str, now: datetime) -> None:
    Orphan.objects.filter(
        account=account, state=OrphanState.SEEN, last_seen_at__lt=now - FORGOTTEN_AFTER
    ).update(state=OrphanState.GONE)
