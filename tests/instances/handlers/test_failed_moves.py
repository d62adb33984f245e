"""A migration that failed stays `migrating` at Novita; its jobs list tells, and is read."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from instances.models import Instance
from tests.instances.handlers.conftest import HOOK, Service, age, events
from tests.instances.reconciliation.conftest import reconcile
from tests.support.engine import database_time
from tests.support.fakes import DOWN, FakeNovita
from tests.support.messages import told_of
from upstream.parsers.items import read_job
from upstream.types import UpstreamJob

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)
WHY = "no resource on target node"


@pytest.fixture
def moving(service: Service, novita: FakeNovita) -> Instance:
    """Migrating for a minute."""
    instance = service.running(novita, webhook_url=HOOK)
    novita.put("up-1", status="migrating")
    reconcile()
    age(instance, status_changed_at=MINUTE, upstream_changed_at=MINUTE, upstream_seen_at=MINUTE)
    instance.refresh_from_db()
    assert instance.status == "migrating"
    novita.calls.clear()
    return instance


def move(**fields: Any) -> UpstreamJob:
    made = {"id": "j-1", "type": "autoInstanceMigrate", "state": "fail", "instance_id": "up-1"}
    return UpstreamJob(**{**made, "error": WHY, "created_at": database_time(-MINUTE), **fields})


def monitor(service: Service, instance: Instance) -> Instance:
    """An observation, half a minute after the one before."""
    age(instance, status_changed_at=MINUTE / 2, upstream_changed_at=MINUTE / 2)
    age(instance, upstream_seen_at=MINUTE / 2)
    return service.monitor(instance)


@pytest.mark.parametrize("job_type", ["autoInstanceMigrate", "instanceMigrate"])
@pytest.mark.parametrize("state", ["fail", "break"])
def test_a_move_that_failed_is_told_with_novitas_reason_and_ends_nothing(
    service: Service, novita: FakeNovita, moving: Instance, job_type: str, state: str
) -> None:
    novita.jobs = [move(type=job_type, state=state)]
    monitor(service, moving)
    assert (moving.status, moving.reason_code) == ("stopped", "MIGRATION_FAILED")
    assert WHY in moving.reason_message
    event = moving.events.last()
    assert (event.type, event.data["code"]) == ("instance.stopped", "MIGRATION_FAILED")
    assert told_of(event)
    for _ in range(3):
        reconcile()
    moving.refresh_from_db()
    assert (moving.status, moving.reason_code) == ("stopped", "MIGRATION_FAILED")
    assert (moving.is_holding, moving.billing_since) == (True, None)
    assert not moving.endings.exists()
    assert "delete_instance" not in novita.calls


@pytest.mark.parametrize(
    "jobs",
    [
        [],
        [{"state": "running"}],
        [{"state": "pulling"}],
        [{"state": "success"}],
        [{"state": "somehow"}],
        [{"instance_id": "up-2"}],
        [{"type": "saveImage"}],
        [{"created_at": -60 * MINUTE}],
        [{"created_at": None}],
        [{"created_at": -2 * MINUTE}, {"id": "j-2", "state": "running"}],
    ],
    ids=str,
)
def test_without_a_failed_job_of_this_move_it_goes_on_migrating(
    service: Service, novita: FakeNovita, moving: Instance, jobs: list[dict[str, Any]]
) -> None:
    for fields in jobs:
        if fields.get("created_at"):
            fields = {**fields, "created_at": database_time(fields["created_at"])}
        novita.jobs.append(move(**fields))
    monitor(service, moving)
    assert (moving.status, moving.reason_code) == ("migrating", "CHANGED_AT_NOVITA")
    assert novita.calls.count("list_jobs") == 2


def test_jobs_are_asked_for_twice_a_minute_and_not_at_every_observation(
    service: Service, novita: FakeNovita, moving: Instance
) -> None:
    monitor(service, moving)
    service.monitor(moving, times=3)
    assert novita.calls.count("list_jobs") == 2
    monitor(service, moving)
    assert novita.calls.count("list_jobs") == 4


def test_a_jobs_list_that_does_not_answer_decides_nothing(
    service: Service, novita: FakeNovita, moving: Instance
) -> None:
    novita.jobs = [move()]
    novita.fail("list_jobs", DOWN)
    assert monitor(service, moving).status == "migrating"
    assert monitor(service, moving).status == "stopped"


def test_what_could_not_be_moved_can_be_started_where_novita_takes_it(
    service: Service, novita: FakeNovita, moving: Instance
) -> None:
    novita.jobs = [move()]
    monitor(service, moving)
    service.ask("start", moving)
    service.run("start_instance")
    assert "start_instance" in novita.calls
    novita.put("up-1", status="running")
    service.run("start_instance")
    assert service.monitor(moving, times=2).status == "running"


def test_a_start_that_never_leaves_migrating_is_stopped_at_its_deadline(
    service: Service, novita: FakeNovita, moving: Instance
) -> None:
    novita.jobs = [move()]
    monitor(service, moving)
    service.ask("start", moving)
    age(moving, start_deadline_at=60 * MINUTE)
    service.run("start_instance")
    moving.refresh_from_db()
    assert moving.status == "stopped"
    assert not moving.endings.exists()


def test_what_comes_back_by_itself_is_followed(
    service: Service, novita: FakeNovita, moving: Instance
) -> None:
    novita.jobs = [move()]
    monitor(service, moving)
    novita.put("up-1", status="running")
    reconcile()
    service.run("monitor_instance", times=2)
    moving.refresh_from_db()
    assert (moving.status, moving.reason_code) == ("running", "")
    assert events(moving)[-1] == "instance.running"


@pytest.mark.parametrize(
    ("data", "state", "error"),
    [
        ({"state": {"state": "fail", "message": WHY}}, "fail", WHY),
        ({"state": {"state": "FAIL", "error": WHY, "message": ""}}, "fail", WHY),
        ({"state": {"state": "failed", "errorMessage": WHY, "error": "E1"}}, "fail", WHY),
        ({"state": "fail", "message": WHY}, "fail", WHY),
        ({"state": {"state": "Broken"}}, "break", ""),
        ({"state": {"state": " running "}}, "running", ""),
        ({"state": None}, "", ""),
        ({"state": []}, "", ""),
        ({}, "", ""),
    ],
    ids=str,
)
def test_a_job_is_read_in_any_of_its_forms(data: dict[str, Any], state: str, error: str) -> None:
    for key in ("Id", "id"):
        found = read_job({key: "j-1", "instanceId": "up-1", "createdAt": "1785780950", **data})
        assert found is not None
        assert (found.state, found.error) == (state, error)
    assert read_job({"Id": "j-1", **data}) is None
