"""Metrics from the database, read once per scrape in a few bounded queries."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, Q, QuerySet, Sum
from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector

from accounts.models import Project
from instances.domain.enums import Hold
from instances.models import Tally, UpstreamGate
from jobs import control, stats
from jobs.handler import all_types
from jobs.models import Worker
from novitai.monitoring.gauges import gauge
from novitai.monitoring.health_checks import breaker_state
from novitai.monitoring.instance_metrics import InstanceMetrics, Upkeep
from webhooks.models import Delivery, DeliveryStatus, Endpoint

NOT_DELIVERED = (DeliveryStatus.PENDING, DeliveryStatus.FAILED)
BREAKER_STATES = ("closed", "open", "half-open")


@dataclass(frozen=True, eq=False)
class ProjectCollector(Collector):
    """Metrics of one project, or of all: jobs, instances, webhooks.

    The database is read once; ``collect`` only formats the result, so it cannot fail midway.
    """

    now: datetime
    jobs: list[stats.Count]
    paused: frozenset[str]
    instances: InstanceMetrics
    deliveries: list[tuple[str, int]]
    endpoints: list[tuple[str, int]]

    @classmethod
    def read(cls, now: datetime, project: Project | None = None) -> "ProjectCollector":
        """Some eight short queries; raises DatabaseError when they take too long."""
        messages = Delivery.objects.filter(status__in=NOT_DELIVERED)
        endpoints = Endpoint.objects.existing()
        if project is not None:
            messages = messages.filter(project=project)
            endpoints = endpoints.filter(project=project)
        return cls(
            now=now,
            jobs=stats.count(project.pk if project is not None else None),
            paused=frozenset(control.paused_types()),
            instances=InstanceMetrics.read(now, project),
            deliveries=_counted(messages),
            endpoints=_by_health(endpoints),
        )

    def collect(self) -> Iterator[Metric]:
        yield from self._queue()
        yield from self.instances.metrics()
        yield gauge(
            "webhook_deliveries",
            "Webhook messages that are pending or failed.",
            ("status",),
            self.deliveries,
        )
        yield gauge(
            "webhook_endpoints",
            "Webhook endpoints that fail, or were disabled.",
            ("health",),
            self.endpoints,
        )

    def _queue(self) -> Iterator[Metric]:
        """Every job type has a series, also without jobs: alerts do not see a missing series."""
        types = {str(kind.name): kind for kind in all_types()}
        names = sorted({*types, *self.paused, *(count.type for count in self.jobs)})
        rows = [(count.type, count.status, count.rows) for count in self.jobs]
        caps = [(name, kind.max_in_flight) for name, kind in types.items()]
        paused = [(name, int(name in self.paused)) for name in names]
        due = [(name, self._oldest_due_seconds(name)) for name in names]
        kind = ("type",)
        yield from (
            gauge("jobs", "Live and failed jobs.", ("type", "status"), rows),
            gauge("oldest_due_job_seconds", "How long the oldest due job has waited.", kind, due),
            gauge(
                "jobs_max_in_flight", "Jobs of the type that may run at the same time.", kind, caps
            ),
            gauge("job_type_paused", "1 while an operator has paused the type.", kind, paused),
        )

    def _oldest_due_seconds(self, type_: str) -> float:
        """Seconds; 0 if no job is due."""
        due = [count.oldest_due_at for count in self.jobs if count.type == type_]
        return max(((self.now - at).total_seconds() for at in due if at), default=0.0)


def _by_health(endpoints: QuerySet[Endpoint]) -> list[tuple[str, int]]:
    failing = Q(is_enabled=True, failing_since__isnull=False)
    counts = endpoints.order_by().aggregate(
        failing=Count("pk", filter=failing), disabled=Count("pk", filter=Q(is_enabled=False))
    )
    return list(counts.items())


@dataclass(frozen=True, eq=False)
class InstallationCollector(Collector):
    """Metrics of the whole installation: workers, reconciliation, the account at Novita."""

    now: datetime
    workers: tuple[int, int]
    job_counters: dict[str, int]
    upkeep: Upkeep
    gates: list[UpstreamGate]
    tallies: list[Tally]

    @classmethod
    def read(cls, now: datetime) -> "InstallationCollector":
        """Some seven short queries; raises DatabaseError when they take too long."""
        return cls(
            now=now,
            workers=_workers(now),
            job_counters=stats.counted(),
            upkeep=Upkeep.read(now),
            gates=list(UpstreamGate.objects.all()),
            tallies=list(Tally.objects.order_by("name", "pk")),
        )

    def collect(self) -> Iterator[Metric]:
        yield from self._cluster()
        yield from self.upkeep.metrics()
        yield from (self._breakers(), self._holds(), self._tokens())
        yield from _tally_counters(self.tallies)

    def _cluster(self) -> Iterator[Metric]:
        processes, in_flight = self.workers
        yield from (
            gauge("workers", "Worker processes with a recent heartbeat.", (), [(processes,)]),
            gauge("jobs_in_flight", "Jobs that live workers are running.", (), [(in_flight,)]),
        )
        for name, value in self.job_counters.items():
            short = name.removeprefix("jobs_")
            help_ = f"{short.replace('_', ' ').capitalize()}, by all workers."
            yield CounterMetricFamily(f"novitai_jobs_{short}", help_, value=value)

    def _breakers(self) -> Metric:
        rows = [
            (gate.account, state, int(breaker_state(gate, self.now) == state))
            for gate in self.gates
            for state in BREAKER_STATES
        ]
        help_ = "Circuit breaker of an upstream account: 1 on the state it is in."
        return gauge("upstream_breaker", help_, ("account", "state"), rows)

    def _holds(self) -> Metric:
        rows = [
            (gate.account, reason.value, int(gate.hold == reason))
            for gate in self.gates
            for reason in Hold
            if reason
        ]
        help_ = "Why creates are held at an upstream account: 1 on the reason, if there is one."
        return gauge("upstream_hold", help_, ("account", "reason"), rows)

    def _tokens(self) -> Metric:
        rows = [(gate.account, gate.tokens_e3 / 1000) for gate in self.gates]
        return gauge("upstream_call_tokens", "Calls left at the last refill.", ("account",), rows)


def _workers(now: datetime) -> tuple[int, int]:
    """Live worker processes, and the number of jobs that they are running."""
    lively = Worker.objects.filter(last_seen_at__gt=now - stats.WORKER_SILENCE)
    told = lively.aggregate(processes=Count("pk"), in_flight=Sum("in_flight", default=0))
    return told["processes"], told["in_flight"]


def _counted(rows: QuerySet[Any]) -> list[tuple[str, int]]:
    return list(rows.order_by().values_list("status").annotate(count=Count("pk")))


def _tally_counters(tallies: list[Tally]) -> Iterator[Metric]:
    """One metric per counter name. A label that only some rows have is empty in the others."""
    by_name: dict[str, list[Tally]] = defaultdict(list)
    for tally in tallies:
        by_name[tally.name.removesuffix("_total")].append(tally)
    for name, rows in by_name.items():
        labels = sorted({label for row in rows for label in row.labels})
        family = CounterMetricFamily(f"novitai_{name}", f"Tally {name}.", labels=labels)
        for row in rows:
            family.add_metric(
                [str(row.labels.get(label, "")) for label in labels], float(row.value)
            )
        yield family
