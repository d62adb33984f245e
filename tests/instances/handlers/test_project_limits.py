"""What a project's own limits allow a request, and how many may live at a time."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Barrier, Thread

import pytest
from django.db import connection, connections

from accounts.models import Project
from instances.domain.errors import InstanceLimitReached, RequestRejected
from instances.domain.types import Cause
from instances.models import Instance
from instances.services import create_instance, set_project_limits
from tests.instances.handlers.conftest import SPEC, Service
from tests.support.fakes import FakeNovita

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("limits", "asked", "expected"),
    [
        ({}, None, None),
        ({}, 7, 7),
        ({"default": 5}, None, 5),
        ({"default": 5}, 7, 7),
        ({"most": 9}, None, 9),
        ({"default": 5, "most": 9}, None, 5),
        ({"default": 12, "most": 9}, None, 9),
        ({"default": 5, "most": 9}, 9, 9),
    ],
)
@pytest.mark.parametrize(
    ("field", "default", "most"),
    [
        ("max_runtime_minutes", "default_runtime_minutes", "longest_runtime_minutes"),
        ("max_price_per_hour_e5_usd", "default_price_e5_usd", "highest_price_e5_usd"),
    ],
)
def test_what_a_request_leaves_open_is_the_projects(
    service: Service,
    field: str,
    default: str,
    most: str,
    limits: dict[str, int],
    asked: int | None,
    expected: int | None,
) -> None:
    names = {"default": default, "most": most}
    set_project_limits(service.project, **{names[word]: value for word, value in limits.items()})
    assert getattr(service.create(**{field: asked}), field) == expected


def test_more_than_the_project_may_have_is_refused_for_every_field(service: Service) -> None:
    set_project_limits(service.project, longest_runtime_minutes=60, highest_price_e5_usd=50_000)
    with pytest.raises(RequestRejected) as refused:
        service.create(max_runtime_minutes=61, max_price_per_hour_e5_usd=50_001)
    assert refused.value.errors == {
        "maxRuntimeMinutes": "Max runtime must be at most 60 minutes here",
        "maxPricePerHourUsd": "Max price per hour must be at most 0.50 USD here",
    }
    assert not Instance.objects.exists()


def test_the_last_place_is_given_back_by_an_end_and_by_nothing_less(
    service: Service, novita: FakeNovita
) -> None:
    set_project_limits(service.project, live_instance_limit=1)
    instance = service.running(novita)
    with pytest.raises(InstanceLimitReached):
        service.create()
    service.ask("terminate", instance)
    with pytest.raises(InstanceLimitReached):
        service.create()
    service.ended(instance)
    assert service.create().status == "creating"


def test_a_limit_of_none_at_all_refuses_everything(service: Service) -> None:
    set_project_limits(service.project, live_instance_limit=0)
    with pytest.raises(InstanceLimitReached):
        service.create()


def test_a_gpu_that_was_kept_after_a_failure_takes_a_place(
    service: Service, novita: FakeNovita
) -> None:
    set_project_limits(service.project, live_instance_limit=1)
    instance = service.placed(on_start_failure="keep")
    novita.put("up-1", status="exited")
    assert service.monitor(instance).status == "failed"
    with pytest.raises(InstanceLimitReached):
        service.create()


def test_one_project_takes_no_place_of_another(service: Service, other_project: Project) -> None:
    for project in (service.project, other_project):
        set_project_limits(project, live_instance_limit=1)
        Service(project).create()


@pytest.fixture
def closed_connections() -> Iterator[None]:
    yield
    connections.close_all()


@pytest.mark.django_db(transaction=True)
def test_the_last_places_are_not_given_twice_however_many_ask_at_once(
    project: Project, closed_connections: None
) -> None:
    set_project_limits(project, live_instance_limit=3)
    together = Barrier(8)
    outcomes: list[str] = []

    def ask() -> None:
        try:
            mine = Project.objects.get(pk=project.pk)
            together.wait(timeout=20)
            create_instance(project=mine, spec=SPEC, cause=Cause("key:test"))
            outcomes.append("created")
        except InstanceLimitReached:
            outcomes.append("refused")
        finally:
            connection.close()

    threads = [Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert sorted(outcomes) == ["created"] * 3 + ["refused"] * 5
    assert Instance.objects.count() == 3
