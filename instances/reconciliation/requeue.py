"""Enqueues work whose job row is missing.

Crashes lose no jobs, but rows may be deleted by hand, restored from a backup, or written by another
release.
"""

from collections.abc import Callable

from django.conf import settings
from django.db.models import Exists, OuterRef, Q, QuerySet, Value
from django.db.models.functions import Concat

from core.clock import database_now
from instances.domain.enums import TRANSITIONAL_STATUSES, CreateStep, InstanceStatus
from instances.domain.schedule import next_observation
from instances.lifecycle.jobs import (
    enqueue_action,
    enqueue_create,
    enqueue_monitor,
    enqueue_termination,
)
from instances.models import Instance, UpstreamEnding
from instances.reconciliation.report import Report
from instances.services.power_actions import VERBS
from jobs.models import Job

MOST_AT_ONCE = 500


def resume(report: Report) -> None:
    """Enqueue all work that has no live job; the dedupe keys make a second job impossible."""
    unconfirmed = Q(create_step__in=(CreateStep.POST, CreateStep.LOOK_UP))
    creating = Instance.objects.filter(Q(status=InstanceStatus.CREATING) | unconfirmed)
    _each(creating, "create", report, enqueue_create)
    moving = Instance.objects.holding().filter(status__in=TRANSITIONAL_STATUSES)
    _each(moving, "monitor", report, _monitor)
    for action, verb in VERBS.items():
        waiting = moving.filter(action=action, status=verb.via, action_accepted_at=None)
        _each(waiting, action, report, enqueue_action)
    _endings(report)


def _each(
    rows: QuerySet[Instance], prefix: str, report: Report, take_up: Callable[[Instance], None]
) -> None:
    live = Job.objects.live().filter(dedupe_key=Concat(Value(f"{prefix}:"), OuterRef("public_id")))
    idle = rows.select_related("project").filter(~Exists(live)).order_by("pk")
    for instance in idle[:MOST_AT_ONCE]:
        take_up(instance)
        report.add(
            "resumed", f"its {prefix} job was missing", instance=instance.public_id,
            upstream_id=instance.upstream_id,
        )  # fmt: skip


def _monitor(instance: Instance) -> None:
    enqueue_monitor(instance, at=next_observation(database_now()))


def _endings(report: Report) -> None:
    key = Concat(Value("terminate:"), OuterRef("account"), Value(":"), OuterRef("upstream_id"))
    idle = UpstreamEnding.objects.filter(
        ~Exists(Job.objects.live().filter(dedupe_key=key)),
        confirmed_at=None,
        account=settings.CONFIG.upstream_account,
    ).select_related("instance__project")
    for ending in idle[:MOST_AT_ONCE]:
        enqueue_termination(ending, ending.instance)
        report.add(
            "resumed", "its terminate job was missing", instance=ending.instance.public_id,
            upstream_id=ending.upstream_id,
        )  # fmt: skip
