"""What Postgres knows, as metrics: read once per scrape, in a handful of bounded queries."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, QuerySet
from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from instances.choices import DeliveryStatus
from instances.database_clock import database_now
from instances.models import Instance, Tally, UpstreamGate, WebhookDelivery
from jobs.models import Job, JobStatus
from novitai.vitals import breaker_state, count_workers, oldest_due

NOT_DELIVERED = (DeliveryStatus.PENDING, DeliveryStatus.FAILED)
BREAKER_STATES = ("closed", "open", "half-open")


@dataclass(frozen=True, eq=False)
class DatabaseCollector(Collector):
    """One reading of the database; ``collect`` only writes it down, so it cannot fail midway."""

    now: datetime
    jobs: list[tuple[str, str, int]]
    oldest_due_at: datetime | None
    workers: int
    instances: list[tuple[str, int]]
    deliveries: list[tuple[str, int]]
    gates: list[UpstreamGate]
    tallies: list[Tally]

    @classmethod
    def read(cls) -> "DatabaseCollector":
        """Eight short queries; raises DatabaseError when they take too long."""
        now = database_now()
        return cls(
            now=now,
            jobs=_count_jobs(),
            oldest_due_at=oldest_due(now),
            workers=count_workers(now),
            instances=_counted(Instance.objects.not_ended()),
            deliveries=_counted(WebhookDelivery.objects.filter(status__in=NOT_DELIVERED)),
            gates=list(UpstreamGate.objects.all()),
            tallies=list(Tally.objects.order_by("name", "pk")),
        )

    def collect(self) -> Iterator[Metric]:
        waited = (self.now - self.oldest_due_at).total_seconds() if self.oldest_due_at else 0.0
        yield from (
            _gauge("jobs", "Live and failed jobs.", ("type", "status"), self.jobs),
            _gauge("oldest_due_job_seconds", "How long the oldest due job waits.", (), [(waited,)]),
            _gauge("workers", "Worker processes seen lately.", (), [(self.workers,)]),
            _gauge("instances", "Instances that have not ended.", ("status",), self.instances),
            _gauge(
                "webhook_deliveries",
                "Webhook messages on their way or given up.",
                ("status",),
                self.deliveries,
            ),
            self._breakers(),
            self._tokens(),
        )
        yield from _tally_counters(self.tallies)

    def _breakers(self) -> Metric:
        rows = [
            (gate.account, state, int(breaker_state(gate, self.now) == state))
            for gate in self.gates
            for state in BREAKER_STATES
        ]
        help_ = "Circuit breaker of an upstream account: 1 on the state it is in."
        return _gauge("upstream_breaker", help_, ("account", "state"), rows)

    def _tokens(self) -> Metric:
        rows = [(gate.account, gate.tokens_e3 / 1000) for gate in self.gates]
        return _gauge("upstream_call_tokens", "Calls left at the last refill.", ("account",), rows)


def _count_jobs() -> list[tuple[str, str, int]]:
    """By status apart: each arm has a partial index, all of them together have none."""
    arms = [
        Job.objects.filter(status=status).order_by().values_list("type", "status")
        for status in (JobStatus.PENDING, JobStatus.PROCESSING, JobStatus.FAILED)
    ]
    first, *rest = (arm.annotate(count=Count("pk")) for arm in arms)
    return list(first.union(*rest, all=True))


def _counted(rows: QuerySet[Any]) -> list[tuple[str, int]]:
    return list(rows.order_by().values_list("status").annotate(count=Count("pk")))


def _gauge(
    name: str, help_: str, labels: tuple[str, ...], rows: Iterable[tuple[object, ...]]
) -> Metric:
    """Rows are label values, then the figure."""
    family = GaugeMetricFamily(f"novitai_{name}", help_, labels=labels)
    for *values, figure in rows:
        family.add_metric([str(value) for value in values], float(str(figure)))
    return family


def _tally_counters(tallies: list[Tally]) -> Iterator[Metric]:
    """One counter per name; rows that lack a label of their siblings have it empty."""
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
