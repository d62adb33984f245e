"""Counts and logs findings when they begin, change and end, instead of in every pass."""

from datetime import datetime

import structlog

from instances.models import OpenFinding
from instances.novita import metric_counters
from instances.reconciliation.report import Finding, Report

logger = structlog.get_logger()

# Kinds that every pass finds until they end; all other kinds are single actions.
STANDING = frozenset({"orphan", "vanished", "brake", "contradiction", "unknown_word"})

Key = tuple[str, str, str]


def keep(report: Report, account: str, *, is_whole: bool, now: datetime) -> None:
    """Record beginnings, changes and ends. ``is_whole``: findings not made again have ended."""
    known = {_key_of(row): row for row in OpenFinding.objects.filter(account=account)}
    found: dict[Key, Finding] = {}
    for finding in report.findings:
        if finding.kind in STANDING:
            found[_key(finding)] = finding
        else:
            _tell(finding)
    for key, finding in found.items():
        _note(finding, known.get(key), account, now)
    if is_whole:
        for key in known.keys() - found.keys():
            _end(known[key], now)


def _note(finding: Finding, row: OpenFinding | None, account: str, now: datetime) -> None:
    text = finding.text[:500]
    if row is None:
        kind, upstream_id, instance_id = _key(finding)
        OpenFinding.objects.create(
            account=account,
            kind=kind,
            upstream_id=upstream_id,
            instance_id=instance_id,
            text=text,
            began_at=now,
            changed_at=now,
        )
        _tell(finding)
    elif row.text != text:
        logger.warning("reconcile_finding_changed", **finding.as_json(), before=row.text)
        row.text, row.changed_at = text, now
        row.save(update_fields=["text", "changed_at"])


def _end(row: OpenFinding, now: datetime) -> None:
    seconds = round((now - row.began_at).total_seconds())
    logger.info(
        "reconcile_finding_ended",
        kind=row.kind,
        upstreamId=row.upstream_id,
        instance=row.instance_id,
        text=row.text,
        seconds=seconds,
    )
    row.delete()


def _tell(finding: Finding) -> None:
    metric_counters.count("reconcile_findings_total", kind=finding.kind)
    logger.warning("reconcile_found", **finding.as_json())


def _key(finding: Finding) -> Key:
    return finding.kind, finding.upstream_id, finding.instance


def _key_of(row: OpenFinding) -> Key:
    return row.kind, row.upstream_id, row.instance_id
