"""Metrics of instances, their cost, terminations and reconciliation, for alerts.

Each query reads a partial index or a small table, so the cost of a scrape does not grow with the
number of ended instances.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Min
from prometheus_client import Metric

from accounts.models import Project
from instances.domain.enums import ENDED_STATUSES, CreateStep, InstanceStatus, OrphanState
from instances.domain.money import usd_text
from instances.lifecycle import spend_rate
from instances.lifecycle.spend_rate import SpendRate
from instances.models import (
    Installation,
    Instance,
    OpenFinding,
    Orphan,
    ReconcileRun,
    UpstreamEnding,
)
from instances.novita import installation as binding
from instances.reconciliation import STANDING
from novitai.monitoring.gauges import gauge

LIVE_STATUSES = [status for status in InstanceStatus if status not in ENDED_STATUSES]
UNCONFIRMED = [CreateStep.POST, CreateStep.LOOK_UP]


@dataclass(frozen=True, slots=True)
class InstanceMetrics:
    """One reading of a project, or of all. Ages in seconds; 0 without a row."""

    by_status: dict[str, int]
    held: int
    spend_rate: SpendRate
    unconfirmed_creates: int
    oldest_unconfirmed_seconds: float
    endings: int
    oldest_ending_seconds: float

    @classmethod
    def read(cls, now: datetime, project: Project | None = None) -> "InstanceMetrics":
        rows, endings = Instance.objects.all(), UpstreamEnding.objects.filter(confirmed_at=None)
        if project is not None:
            rows, endings = rows.of(project), endings.filter(project=project)
        unconfirmed = rows.filter(create_step__in=UNCONFIRMED).order_by()
        creates = unconfirmed.aggregate(count=Count("pk"), oldest=Min("posted_at"))
        open_ = endings.order_by().aggregate(count=Count("pk"), oldest=Min("created_at"))
        statuses = rows.not_ended().order_by().values_list("status")
        return cls(
            by_status=dict(statuses.annotate(count=Count("pk"))),
            held=rows.holding().count(),
            spend_rate=spend_rate.of_project(project),
            unconfirmed_creates=creates["count"],
            oldest_unconfirmed_seconds=_age(creates["oldest"], now),
            endings=open_["count"],
            oldest_ending_seconds=_age(open_["oldest"], now),
        )

    def metrics(self) -> Iterator[Metric]:
        """Every status has a series, also without instances: alerts do not see a missing series."""
        statuses = [(status.value, self.by_status.get(status, 0)) for status in LIVE_STATUSES]
        one = ()
        yield from (
            gauge("instances", "Instances that have not ended.", ("status",), statuses),
            gauge("instances_held", "Instances that hold a GPU at Novita.", one, [(self.held,)]),
            gauge(
                "burn_usd_per_hour",
                "What Novita charges, by its last answers; orphans and duplicates included.",
                one,
                [(usd_text(self.spend_rate.e5_usd),)],
            ),
            gauge(
                "burn_unpriced",
                "GPUs that are charged at an unknown price, missing in the USD an hour.",
                one,
                [(self.spend_rate.unpriced,)],
            ),
            gauge(
                "creates_in_doubt",
                "Creates of unknown outcome.",
                one,
                [(self.unconfirmed_creates,)],
            ),
            gauge(
                "oldest_create_in_doubt_seconds",
                "Age of the oldest of them since it was sent.",
                one,
                [(self.oldest_unconfirmed_seconds,)],
            ),
            gauge(
                "endings_open",
                "GPUs whose termination is not confirmed yet.",
                one,
                [(self.endings,)],
            ),
            gauge(
                "oldest_open_ending_seconds",
                "Age of the oldest unconfirmed termination.",
                one,
                [(self.oldest_ending_seconds,)],
            ),
        )


@dataclass(frozen=True, slots=True)
class Upkeep:
    """Metrics of reconciliation over the whole account; not shown to projects."""

    orphans: dict[str, int]
    findings: dict[str, int]
    reconciled_seconds_ago: float | None
    is_mass_guard_on: bool
    is_copy: bool = False

    @classmethod
    def read(cls, now: datetime) -> "Upkeep":
        run = ReconcileRun.objects.filter(is_complete=True).order_by("-pk").first()
        installation = Installation.objects.first()
        orphans = Orphan.objects.order_by().values_list("state")
        return cls(
            orphans=dict(orphans.annotate(count=Count("pk"))),
            findings=dict(
                OpenFinding.objects.order_by().values_list("kind").annotate(count=Count("pk"))
            ),
            reconciled_seconds_ago=_age(run.ran_at, now) if run is not None else None,
            is_mass_guard_on=installation is not None and installation.braked_at is not None,
            is_copy=installation is not None and not binding.is_bound_here(installation),
        )

    def metrics(self) -> Iterator[Metric]:
        one = ()
        orphans = [(state.value, self.orphans.get(state, 0)) for state in OrphanState]
        findings = [(kind, self.findings.get(kind, 0)) for kind in sorted(STANDING)]
        help_ = "Open findings of reconciliation, by kind."
        yield gauge("reconcile_findings_open", help_, ("kind",), findings)
        yield from (
            gauge("orphans", "GPUs with our signature that belong to no row.", ("state",), orphans),
            gauge(
                "reconcile_braked",
                "1 while too many instances are missing at once for their absence to be believed.",
                one,
                [(int(self.is_mass_guard_on),)],
            ),
        )
        help_ = "1 while workers do nothing at Novita, since this database was moved or copied."
        yield gauge("installation_held_back", help_, one, [(int(self.is_copy),)])
        if self.reconciled_seconds_ago is not None:
            help_ = "Seconds since the last complete reconciliation with Novita."
            yield gauge("reconcile_age_seconds", help_, one, [(self.reconciled_seconds_ago,)])


def _age(since: datetime | None, now: datetime) -> float:
    return max((now - since).total_seconds(), 0.0) if since is not None else 0.0
