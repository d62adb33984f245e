"""Applies the result of a pass in one transaction; instances are locked by public id."""

from datetime import datetime, timedelta

import structlog
from django.db import transaction

from core.clock import database_now
from instances import monitoring
from instances.domain.enums import TRANSITIONAL_STATUSES, InstanceStatus
from instances.domain.types import Cause
from instances.models import Installation, Instance, ReconcileRun
from instances.monitoring import Evidence, Limits, Observation, Pass
from instances.novita import installation, listing_profile
from instances.reconciliation import duplicates, findings, orphans, requeue
from instances.reconciliation.plan import EXPECTED, monitored_here
from instances.reconciliation.report import KEPT_FINDINGS, Report
from instances.reconciliation.scan import ReconcileWork, Seen
from jobs.models import Job

logger = structlog.get_logger()

KEPT_RUNS = 1_000
LIST_LAG = timedelta(seconds=60)


class _DryRunError(Exception):
    """Raised to roll back everything that a pass wrote."""


def apply_pass(
    work: ReconcileWork,
    seen: Seen,
    *,
    account: str,
    cause: Cause,
    job: Job | None = None,
    is_dry: bool = False,
) -> Report:
    """Write the result of a pass, and a record of it.

    A dry pass writes and rolls back, so that it reports exactly what a real one would do. A pass of
    a copied database does the same, but keeps its record.
    """
    report = Report()
    is_ours = installation.is_ours()
    try:
        with transaction.atomic():
            _apply(work, seen, report, account=account, cause=cause, job=job)
            if is_dry or not is_ours:
                raise _DryRunError
    except _DryRunError:
        pass
    if not is_ours:
        report.note = (
            "Only reported: this database was moved or copied. If it is the only installation, "
            "accept it with: manage.py reconcile --accept"
        )
    if not is_dry:
        _keep(report, account)
    return report


def _apply(
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
        requeue.resume(report)
        return
    listing_profile.learn_whole(seen.pages)
    limits = _limits(work, seen, report, now)
    _follow(work, seen, limits, report, cause=cause, job=job, now=now)
    duplicates.handle(seen, work, report, account=account, cause=cause, now=now)
    orphans.handle(seen, work, report, account=account, cause=cause, now=now)
    _tell_unknown_words(seen, report)
    requeue.resume(report)
    report.counts = _counts(work, seen)


def _limits(work: ReconcileWork, seen: Seen, report: Report, now: datetime) -> Limits:
    """Limits for conclusions of absence in this pass; reports contradictions."""
    if seen.contradicting:
        count = len(seen.contradicting)
        text = f"GET by id finds {count} instances that the list lacks: this pass proves no absence"
        report.add("contradiction", text)
    is_accepted = installation.is_mass_guard_off()
    is_mass = _is_mass(work, seen, report, now) and not is_accepted
    return monitoring.absence_limits(is_mass=is_mass, is_accepted=is_accepted)


def _is_mass(work: ReconcileWork, seen: Seen, report: Report, now: datetime) -> bool:
    """Whether the mass guard is on.

    GPUs that a whole list lacks count even without a get by id: otherwise a small call budget would
    switch the guard off.
    """
    vanished = sum(observation.is_gone for observation in seen.observations.values())
    if seen.is_complete:
        vanished = max(vanished, seen.unfound)
    row = Installation.objects.get(id=1)
    is_on = monitoring.is_mass_guard_on(vanished=vanished, held=len(work.held))
    # Once on, it stays on until fewer than MANY are missing: endings by others meanwhile do not
    # confirm the rest.
    is_back = seen.is_complete and vanished < monitoring.MANY
    is_on |= row.braked_at is not None and not is_back
    if not is_on or installation.is_mass_guard_off():
        if row.braked_at is not None:
            Installation.objects.filter(id=1).update(braked_at=None, brake_reason="")
        return False
    minutes = (monitoring.absence_after() * monitoring.PATIENCE).total_seconds() / 60
    reason = (
        f"{vanished} of {len(work.held)} were not found at once: believed only after"
        f" {minutes:.0f} minutes"
    )
    report.note = f"Braked: {reason}. If they are really gone: manage.py reconcile --accept"
    report.add("brake", reason)
    if row.braked_at is None:
        Installation.objects.filter(id=1).update(braked_at=now, brake_reason=reason)
        logger.error("reconcile_braked", vanished=vanished, held=len(work.held))
    return True


def _follow(
    work: ReconcileWork,
    seen: Seen,
    limits: Limits,
    report: Report,
    *,
    cause: Cause,
    job: Job | None,
    now: datetime,
) -> None:
    """Change the rows to what Novita shows.

    Skips rows that changed, or were observed by their monitor job, since the pass began: the pass
    saw an older state.
    """
    rows = (
        Instance.objects.select_for_update(of=["self"])
        .select_related("project")
        .filter(upstream_id__in=list(seen.observations), status_changed_at__lt=work.begun_at)
        .filter(pk__in=monitored_here().values("pk"))
        .exclude(upstream_seen_at__gt=work.begun_at)
        .order_by("public_id")
    )
    changed: list[Instance] = []
    for instance in rows:
        observation, before = seen.observations[instance.upstream_id], instance.status
        if _is_perhaps_stale(instance, observation, work):
            continue
        if observation.is_gone:
            has_changed = _weigh(instance, observation, seen, limits, report, cause=cause, now=now)
        elif before in TRANSITIONAL_STATUSES:
            # Everything else is left to its monitor job.
            monitoring.note_observation(instance, now=now)
            continue
        else:
            has_changed = monitoring.evaluate_steady(
                instance, observation, job=job, now=now, is_in_arrears=seen.is_in_arrears
            )
            changed += [] if has_changed else [instance]
        if has_changed:
            text = f"{before} -> {instance.status}: {instance.reason_message or 'gone'}"
            _found(report, "followed", text, instance)
    monitoring.save_observations(changed, changed, now=now)


def _weigh(
    instance: Instance,
    observation: Observation,
    seen: Seen,
    limits: Limits,
    report: Report,
    *,
    cause: Cause,
    now: datetime,
) -> bool:
    evidence = Evidence.REFUSED if observation.is_refused else Evidence.SAID_GONE
    word = seen.list_words[instance.upstream_id]
    pass_ = Pass(evidence, word, is_doubted=bool(seen.contradicting))
    because = Cause(cause.actor, "not found at Novita", cause.request_id, cause.job_id)
    is_gone = monitoring.evaluate_unasked(instance, pass_, cause=because, now=now, limits=limits)
    if not is_gone and instance.absence_seen_at is not None:
        _found(report, "vanished", instance.reason_message, instance)
    return is_gone


def _is_perhaps_stale(instance: Instance, observation: Observation, work: ReconcileWork) -> bool:
    """A list does not contradict a change within LIST_LAG before the pass: it may be old."""
    is_by_list = observation.seen is not None and not observation.has_details
    expected = EXPECTED.get(InstanceStatus(instance.status), "")
    if not is_by_list or observation.seen is None or observation.seen.status == expected:
        return False
    return instance.status_changed_at > work.begun_at - LIST_LAG


def _tell_unknown_words(seen: Seen, report: Report) -> None:
    """Report status words that this release does not know."""
    for items in seen.ours.values():
        for item in items:
            if not item.is_known_status:
                text = f"Novita says {item.status[:40]!r}, a status that this service does not know"
                report.add("unknown_word", text, upstream_id=item.id)


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
        "vanished": sum(found.is_gone for found in seen.observations.values()),
    }


def _keep(report: Report, account: str) -> None:
    """Save the record and the findings; delete old records."""
    run = ReconcileRun.objects.create(
        account=account,
        findings=[finding.as_json() for finding in report.findings[:KEPT_FINDINGS]],
        note=report.note[:300],
        **report.counts,
    )
    ReconcileRun.objects.filter(pk__lte=run.pk - KEPT_RUNS).delete()
    is_whole = bool(report.counts.get("is_complete"))
    findings.keep(report, account, is_whole=is_whole, now=database_now())
