"""The handlers' upstream in memory, and passes over it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.db.models import F

from instances import reconciliation
from instances.domain.types import Cause
from instances.models import Instance, UpstreamGate
from instances.novita import client_factory, limiter
from instances.novita.call_classes import CallClass, left_by
from instances.reconciliation import Report
from tests.instances.handlers.conftest import Service, novita, service
from tests.support.engine import database_time
from tests.support.fakes import FakeNovita

__all__ = ["novita", "service"]


# How long ago everything changed here when a pass begins.
AGO = timedelta(minutes=2)


def reconcile(
    *, is_dry: bool = False, later: timedelta = timedelta(minutes=1), ago: timedelta = AGO
) -> Report:
    """A pass ``ago`` after whatever happened here, and ``later`` than the pass before."""
    Instance.objects.update(status_changed_at=F("status_changed_at") - ago)
    Instance.objects.update(
        absence_seen_at=F("absence_seen_at") - later,
        absence_looked_at=F("absence_looked_at") - later,
    )
    work = reconciliation.plan_pass()
    seen = reconciliation.scan_account(work)
    limiter.report([(work.permit, seen.calls)])
    return reconciliation.apply_pass(
        work,
        seen,
        account=settings.CONFIG.upstream_account,
        cause=Cause("worker", "a test"),
        is_dry=is_dry,
    )


def reconcile_for(span: timedelta) -> Report:
    """Passes every four minutes, from now until then."""
    step, report = timedelta(minutes=4), reconcile()
    for _ in range(-(-span // step)):
        # Four minutes fill the allowance again; here only the rows' times move.
        UpstreamGate.objects.all().delete()
        report = reconcile(later=step)
    return report


def leave_calls(count: int) -> None:
    """What the next pass may use, beside the reserve for terminations."""
    reserves = left_by(CallClass.WATCH, 60)
    later = database_time(timedelta(hours=1))
    UpstreamGate.objects.update(tokens_e3=(count + reserves) * 1000, refilled_at=later)


def kinds(report: Report) -> list[str]:
    return sorted(finding.kind for finding in report.findings)


def signed_name(reference: str = "ab" * 10, slug: str = "lost") -> str:
    return client_factory.name_signer().name(slug, reference)


@pytest.fixture
def running(service: Service, novita: FakeNovita) -> Instance:
    return run_one(service, novita)


def run_one(service: Service, novita: FakeNovita, **spec: Any) -> Instance:
    """With a full allowance: many of them in a fast test would use it up."""
    UpstreamGate.objects.all().delete()
    instance = service.placed(**spec)
    novita.put(instance.upstream_id, status="running")
    service.run("monitor_instance", times=2)
    instance.refresh_from_db()
    assert instance.status == "running"
    novita.calls.clear()
    return instance
