"""What follows from a pass: one transaction, the instances locked in the one order."""

from collections.abc import Mapping
from datetime import datetime, timedelta

import structlog
from django.db import transaction

from instances import environment, habits, tally, watching
from instances.choices import InstanceStatus
from instances.database_clock import database_now
from instances.models import Installation, Instance, ReconcileRun
from instances.reconciling import orphans, resuming, strays
from instances.reconciling.looking import ReconcileWork, Seen
from instances.reconciling.planning import EXPECTED, resting
from instances.reconciling.report import KEPT_FINDINGS, Report
from instances.types import Cause
from instances.watching import Sighting
from jobs.models import Job

logger = structlog.get_logger()

KEPT_RUNS = 1_000
LIST_LAG = timedelta(seconds=60)


class _DryRunError(Exception):
    """Raised to undo everything that a pass wrote."""


def conclude(
    work: ReconcileWork,
    seen: Seen,
    *,
    account: str,
    cause: Cause,
    job: Job | None = None,
    is_dry: bool = False,
) -> Report:
    """Write what follows, and keep a record of it.

    A dry pass does the same and takes all of it back, so that it shows exactly what a real one
    would do. So does a pass of a copy (``environment``), but for its record.
    """
    report = Report()
    is_ours = environment.is_ours()
    try:
        with transaction.atomic():
            _conclude(work, seen, report, account=account, cause=cause, job=job)
            if is_dry or not is_ours:
                raise _DryRunError
    except _DryRunError:
        pass
    if not is_ours:
        report.note = (
            "Only reported: this database has moved, or is a copy. If it is the one installation, "
            "accept it with: manage.py reconcile --accept"
        )
    if not is_dry:
        _keep(report, account)
    return report


def _conclude(
    work: ReconcileWork,
    seen: Seen,
    report: Report,
    *,
    account: str,
    cause: Cause,
    job: Job | None,
) -> None:
    now = database_now()
    if seen.error:
        report.note = f"Novita could not be listed: {seen.error}"
        report.counts = {"calls": len(seen.calls), "held": len(work.held)}
        resuming.resume(report)
        return
    habits.learn_whole(seen.pages)
    sightings = _believed(work, seen, report, now)
    _follow(work, seen, sightings, report, job=job, now=now)
    strays.settle(seen, work, report, account=account, cause=cause, now=now)
    orphans.settle(seen, work, report, account=account, cause=cause, now=now)
    resuming.resume(report)
    report.counts = _counts(work, seen)


def _believed(
    work: ReconcileWork, seen: Seen, report: Report, now: datetime
) -> Mapping[str, Sighting]:
    """Without what was not found, if that is too much at once to be true. What a whole list lacks
    counts though no look was left for it: else a scarce allowance would take the brake off.
    """
    vanished = sum(sighting.seen is None for sighting in seen.sightings.values())
    if seen.is_complete:
        vanished = max(vanished, seen.unfound)
    row = Installation.objects.get(id=1)
    is_on = watching.is_brake_on(vanished=vanished, held=len(work.held))
    # Once on, it stays on until they are back: what others end meanwhile makes the rest no truer.
    is_back = seen.is_complete and vanished < watching.MANY
    is_on |= row.braked_at is not None and not is_back
    if not is_on or environment.is_brake_off():
        if row.braked_at is not None:
            Installation.objects.filter(id=1).update(braked_at=None, brake_reason="")
        return seen.sightings
    reason = f"{vanished} of {len(work.held)} were not found at once, nothing is concluded"
    report.note = f"Braked: {reason}. If it is true: manage.py reconcile --accept"
    report.add("brake", reason)
    if row.braked_at is None:
        Installation.objects.filter(id=1).update(braked_at=now, brake_reason=reason)
    logger.error("reconcile_braked", vanished=vanished, held=len(work.held))
    return {each: found for each, found in seen.sightings.items() if found.seen is not None}


def _follow(
    work: ReconcileWork,
    seen: Seen,
    sightings: Mapping[str, Sighting],
    report: Report,
    *,
    job: Job | None,
    now: datetime,
) -> None:
    """Bring the rows where Novita is. What changed here since the pass began is left alone."""
    rows = (
        Instance.objects.select_for_update(of=["self"])
        .select_related("project")
        .filter(upstream_id__in=list(sightings), status_changed_at__lt=work.begun_at)
        .filter(pk__in=resting().values("pk"))
        .order_by("public_id")
    )
    noted: list[Instance] = []
    for instance in rows:
        sighting, before = sightings[instance.upstream_id], instance.status
        if _is_perhaps_stale(instance, sighting, work):
            continue
        has_changed = watching.settle(
            instance, sighting, job=job, now=now, is_in_arrears=seen.is_in_arrears
        )
        if has_changed:
            text = f"{before} -> {instance.status}: {instance.reason_message or 'gone'}"
            _found(report, "followed", text, instance)
        else:
            noted.append(instance)
            if sighting.seen is None:
                _found(report, "vanished", "not found; a second look will prove it", instance)
    seen_now = [each for each in noted if sightings[each.upstream_id].seen is not None]
    watching.save_notes(noted, seen_now, now=now)


def _is_perhaps_stale(instance: Instance, sighting: Sighting, work: ReconcileWork) -> bool:
    """Lists lag: they do not contradict what changed here in the minute before them."""
    is_by_list = sighting.seen is not None and not sighting.has_details
    expected = EXPECTED.get(InstanceStatus(instance.status), "")
    if not is_by_list or sighting.seen is None or sighting.seen.status == expected:
        return False
    return instance.status_changed_at > work.begun_at - LIST_LAG


def _found(report: Report, kind: str, text: str, instance: Instance) -> None:
    report.add(kind, text, upstream_id=instance.upstream_id, instance=instance.public_id)


def _counts(work: ReconcileWork, seen: Seen) -> dict[str, object]:
    return {
        "calls": len(seen.calls),
        "is_complete": seen.is_complete,
        "listed": seen.listed,
        "ours": seen.signed,
        "foreign": seen.listed - seen.signed,
        "held": len(work.held),
        "missing": seen.missing,
        "vanished": sum(found.seen is None for found in seen.sightings.values()),
    }


def _keep(report: Report, account: str) -> None:
    """The record, and what it found as counters; old records make room."""
    run = ReconcileRun.objects.create(
        account=account,
        findings=[finding.as_json() for finding in report.findings[:KEPT_FINDINGS]],
        note=report.note[:300],
        **report.counts,
    )
    ReconcileRun.objects.filter(pk__lte=run.pk - KEPT_RUNS).delete()
    for finding in report.findings:
        tally.count("reconcile_findings_total", kind=finding.kind)
        logger.warning("reconcile_found", **finding.as_json())
