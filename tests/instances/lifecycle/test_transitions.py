"""Arrows between statuses, and the events that tell of them."""

from __future__ import annotations

from itertools import product

import pytest
from django.db import IntegrityError, connection, transaction
from psycopg.errors import CheckViolation

from accounts.models import Project
from core.clock import database_now
from instances.domain.enums import TRANSITIONS, InstanceStatus
from instances.domain.errors import IllegalTransition
from instances.domain.types import Cause, Failure, InstanceRequest
from instances.lifecycle.transitions import change_status, fail, record_event
from instances.models import Installation, Instance, InstanceEvent
from instances.services import create_instance
from jobs.models import Job
from tests.support.refusals import refused_by_postgres
from webhooks.models import Delivery

pytestmark = pytest.mark.django_db

CAUSE = Cause("operator:ada", reason="because", request_id="req-1", job_id="job_1")
S = InstanceStatus
# Written out again on purpose: the README's arrows, not the code's.
ARROWS = {
    *((S.CREATING, to) for to in (S.STARTING, S.FAILED, S.TERMINATING)),
    *((S.STARTING, to) for to in (S.RUNNING, S.STOPPED, S.FAILED, S.TERMINATING)),
    *((S.STARTING, to) for to in (S.STOPPING, S.TERMINATED)),
    *((S.RUNNING, to) for to in (S.STOPPING, S.STOPPED, S.STARTING, S.MIGRATING)),
    *((S.RUNNING, to) for to in (S.TERMINATED, S.FAILED, S.TERMINATING)),
    *((S.STOPPING, to) for to in (S.STOPPED, S.TERMINATED, S.TERMINATING)),
    *((S.STOPPED, to) for to in (S.STARTING, S.MIGRATING, S.TERMINATED, S.FAILED)),
    *((S.STOPPED, to) for to in (S.TERMINATING,)),
    *((S.MIGRATING, to) for to in (S.RUNNING, S.STOPPED, S.FAILED)),
    *((S.MIGRATING, to) for to in (S.TERMINATED, S.TERMINATING)),
    (S.TERMINATING, S.TERMINATED),
    (S.FAILED, S.TERMINATING),
}


@pytest.fixture
def instance(project: Project) -> Instance:
    spec = InstanceRequest("one", "RTX 4090", "tpl", "CN-HK-01")
    return create_instance(project=project, spec=spec, cause=CAUSE).instance


def put(instance: Instance, status: InstanceStatus) -> Instance:
    instance.status = status
    instance.upstream_id = "up-1"
    instance.error_code = "INTERNAL_ERROR"
    return instance


def test_the_arrows_are_those_that_were_agreed() -> None:
    assert {(a, b) for a, targets in TRANSITIONS.items() for b in targets} == ARROWS


@pytest.mark.parametrize(("before", "to"), sorted(product(S, S)))
def test_arrows_are_followed_with_an_event_and_all_else_is_refused(
    instance: Instance, before: InstanceStatus, to: InstanceStatus
) -> None:
    put(instance, before)
    if (before, to) not in ARROWS:
        with pytest.raises(IllegalTransition, match=f"is {before} and cannot become {to}"):
            change_status(instance, to, cause=CAUSE, now=database_now())
        assert (instance.status, instance.sequence) == (before, 1)
        return
    now = database_now()
    if to == S.TERMINATED:
        instance.upstream_gone_at = now
    event = change_status(instance, to, cause=CAUSE, now=now)
    instance.refresh_from_db()
    assert (instance.status, instance.status_changed_at) == (to, now)
    assert (instance.ended_at == now) is (to in (S.TERMINATED, S.FAILED))
    assert (event.type, event.from_status, event.to_status) == (f"instance.{to}", before, to)
    assert (event.actor, event.cause, event.request_id, event.job_id) == (
        *("operator:ada", "because", "req-1", "job_1"),
    )


def test_events_are_numbered_without_gaps(instance: Instance) -> None:
    change_status(put(instance, S.CREATING), S.STARTING, cause=CAUSE, now=database_now())
    record_event(instance, "instance.note", cause=CAUSE, now=database_now())
    change_status(instance, S.RUNNING, cause=CAUSE, now=database_now())
    assert list(instance.events.values_list("sequence", flat=True)) == [1, 2, 3, 4]
    with pytest.raises(IllegalTransition):
        change_status(instance, S.CREATING, cause=CAUSE, now=database_now())
    assert instance.events.count() == 4


def test_a_failure_says_why(instance: Instance) -> None:
    event = fail(instance, Failure("STARTUP_FAILED", "no image"), cause=CAUSE, now=database_now())
    instance.refresh_from_db()
    assert (instance.error_code, instance.error_message) == ("STARTUP_FAILED", "no image")
    assert event.data == {"code": "STARTUP_FAILED", "message": "no image"}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("url", ["", "https://example.com/hook"])
def test_accepting_a_request_is_one_commit(url: str) -> None:
    project = Project.objects.create(name="p")
    spec = InstanceRequest("one", "RTX 4090", "tpl", "CN-HK-01", webhook_url=url)
    refused = refused_by_postgres("INSERT", "jobs_job", "true", CheckViolation)
    with refused, pytest.raises(IntegrityError, match="refused"):
        create_instance(project=project, spec=spec, cause=CAUSE)
    counts = [model.objects.count() for model in (Instance, InstanceEvent, Job, Delivery)]
    assert counts == [0, 0, 0, 0]


@pytest.mark.parametrize("rewrite", ["SET cause = 'otherwise'", None])
def test_history_cannot_be_rewritten(instance: Instance, rewrite: str | None) -> None:
    table = InstanceEvent._meta.db_table
    statement = f"UPDATE {table} {rewrite}" if rewrite else f"DELETE FROM {table}"
    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
        connection.cursor().execute(statement)


@pytest.mark.parametrize(
    ("constraint", "fields"),
    [
        ("instance_status_known", {"status": "lost"}),
        ("instance_billing_mode_known", {"billing_mode": "free"}),
        ("instance_create_step_known", {"create_step": "lost"}),
        ("instance_running_is_placed", {"status": "running"}),
        ("instance_failed_says_why", {"status": "failed"}),
        ("instance_in_doubt_since_when", {"create_step": "look_up"}),
        ("instance_terminated_is_gone", {"status": "terminated", "upstream_id": "up-1"}),
        ("instance_upstream_id_once", {"upstream_account": "a", "upstream_id": "taken"}),
        ("instance_upstream_name_once", {"upstream_name": "taken"}),
    ],
)
def test_illegal_rows_are_refused(
    instance: Instance, project: Project, constraint: str, fields: dict[str, str]
) -> None:
    spec = InstanceRequest("two", "RTX 4090", "tpl", "CN-HK-01")
    other = create_instance(project=project, spec=spec, cause=CAUSE).instance
    taken = {"upstream_account": "a", "upstream_id": "taken", "upstream_name": "taken"}
    Instance.objects.filter(pk=other.pk).update(**taken)
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        Instance.objects.filter(pk=instance.pk).update(**fields)


def test_there_is_one_installation() -> None:
    Installation.objects.create()
    with pytest.raises(IntegrityError, match="installation_only_one"), transaction.atomic():
        Installation.objects.create(id=2)


def test_an_event_number_is_used_once(instance: Instance) -> None:
    with pytest.raises(IntegrityError, match="event_numbered_once"), transaction.atomic():
        InstanceEvent.objects.create(
            instance=instance, project=instance.project, sequence=1, type="x", actor="y"
        )
