"""Handles GPUs with an instance's reference that the instance's row does not hold."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from instances.domain.enums import InstanceStatus, OnStartFailure
from instances.domain.types import Cause
from instances.lifecycle.terminations import begin_ending, is_end_decided
from instances.lifecycle.transitions import record_event
from instances.models import Instance, UpstreamEnding
from instances.monitoring import take_back
from instances.reconciliation.report import Report
from instances.reconciliation.scan import ReconcileWork, Seen
from upstream.types import UpstreamInstance

# Lists may show a GPU for this long after its absence was proven. Not for GPUs without a request to
# end them: those were missing in lists for ABSENCE_AFTER before.
LISTED_AFTER_END = timedelta(seconds=60)


def handle(
    seen: Seen, work: ReconcileWork, report: Report, *, account: str, cause: Cause, now: datetime
) -> None:
    """End duplicates and late arrivals; end or take back GPUs that reappeared. Locks the rows.

    A reappeared GPU is ended only if its end was requested.
    """
    suspects = _suspects(seen, work, account)
    rows = (
        Instance.objects.select_for_update(of=["self"])
        .select_related("project")
        .filter(pk__in=suspects)
        .order_by("public_id")
    )
    for instance in rows:
        for item in seen.ours[instance.reference]:
            kind = _what_is_wrong(instance, item, work)
            if kind == "came_back" and not is_end_decided(instance):
                _take_back(instance, item, report, cause=cause, now=now)
            elif kind is not None:
                _end(instance, item, kind, report, cause=cause, now=now)


def _suspects(seen: Seen, work: ReconcileWork, account: str) -> Sequence[int]:
    """Without locks: only to find the rows to lock."""
    rows = Instance.objects.filter(reference__in=list(seen.ours), upstream_account=account)
    return [
        row.pk
        for row in rows.only(
            "reference", "status", "upstream_id", "upstream_gone_at", "create_step",
            "on_start_failure", "status_changed_at", "upstream_name", "upstream_account",
        )
        if any(_what_is_wrong(row, item, work) for item in seen.ours[row.reference])
    ]  # fmt: skip


def _what_is_wrong(instance: Instance, item: UpstreamInstance, work: ReconcileWork) -> str | None:
    """Kind of finding; None if the row holds the GPU, or its create job will find it."""
    if item.name != instance.upstream_name:
        # A copy that somebody made in the console has another name: not ours to end.
        return None
    is_unchanged = instance.status_changed_at < work.begun_at
    if instance.has_unconfirmed_create or instance.status == InstanceStatus.CREATING:
        # The create job looks for it and decides which GPU to keep; requeue replaces a lost job.
        return None
    if instance.upstream_id and instance.upstream_id.casefold() != item.id.casefold():
        return "double"
    if not instance.upstream_id:
        return "late_arrival" if is_unchanged else None
    if instance.upstream_gone_at is not None:
        lag = LISTED_AFTER_END if is_end_decided(instance) else timedelta(0)
        return "came_back" if instance.upstream_gone_at + lag < work.begun_at else None
    is_unwanted = instance.status == InstanceStatus.FAILED
    is_unwanted &= instance.on_start_failure == OnStartFailure.TERMINATE
    return "left_running" if is_unwanted and is_unchanged else None


_WORDS: Mapping[str, str] = {
    "double": "a second GPU has the instance's reference",
    "late_arrival": "the create acted late, after its instance had failed or ended",
    "came_back": "its termination was requested, and it is listed although its absence was proven",
    "left_running": "the failed instance still has a GPU",
}


def _take_back(
    instance: Instance,
    item: UpstreamInstance,
    report: Report,
    *,
    cause: Cause,
    now: datetime,
) -> None:
    """Its end was not asked for: its absence was a wrong conclusion, and no decision."""
    words = "Novita shows it again, and nobody asked to terminate it"
    because = Cause(cause.actor, words, cause.request_id, cause.job_id)
    take_back(instance, item, cause=because, now=now)
    text = f"{words}: {instance.status}"
    report.add("reappeared", text, upstream_id=item.id, instance=instance.public_id)


def _end(
    instance: Instance,
    item: UpstreamInstance,
    kind: str,
    report: Report,
    *,
    cause: Cause,
    now: datetime,
) -> None:
    """Begin an ending, unless one is open."""
    is_open = UpstreamEnding.objects.filter(
        account=instance.upstream_account, upstream_id=item.id, confirmed_at=None
    ).exists()
    if is_open:
        return
    because = Cause(cause.actor, _WORDS[kind], cause.request_id, cause.job_id)
    data = {"novitaInstanceId": item.id, "kind": kind}
    record_event(instance, "instance.stray_found", cause=because, now=now, data=data, is_told=True)
    begin_ending(instance, item.id, cause=because, now=now)
    report.add(kind, _WORDS[kind], upstream_id=item.id, instance=instance.public_id)
