"""enforce_limits, and what a project may ask for: nothing runs longer, dearer or more of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from threading import Barrier, Thread
from typing import Any

import pytest
from django.db import connection, connections

from accounts.models import Project
from instances.errors import InstanceLimitReached, WishRefused
from instances.handlers.limits import EnforceLimits
from instances.models import Instance, InstanceEvent, WebhookDelivery
from instances.novita.errors import InsufficientResource
from instances.services import create_instance, set_project_limits
from instances.types import Cause
from jobs import queue
from jobs.models import Job
from tests.engine import database_time
from tests.fakes import DOWN, PRODUCT, FakeNovita
from tests.instances.conftest import Configure
from tests.instances.handlers.conftest import HOOK, WISH, Service, age, events

pytestmark = pytest.mark.django_db


def enforce(service: Service, *, times: int = 1) -> None:
    queue.ensure_recurring()
    service.run("enforce_limits", times=times)


def limited(service: Service, novita: FakeNovita, **wish: Any) -> Instance:
    return service.running(novita, max_runtime_minutes=60, **wish)


def ends_in(instance: Instance, span: timedelta) -> Instance:
    Instance.objects.filter(pk=instance.pk).update(expires_at=database_time(span))
    instance.refresh_from_db()
    return instance


# The end of a life


def test_a_life_begins_with_the_first_charged_second(service: Service, novita: FakeNovita) -> None:
    instance = limited(service, novita)
    assert instance.started_at is not None
    assert instance.expires_at == instance.started_at + timedelta(minutes=60)


def test_what_has_reached_its_end_is_ended_once(service: Service, novita: FakeNovita) -> None:
    instance = ends_in(limited(service, novita), timedelta(0))
    enforce(service, times=3)
    instance.refresh_from_db()
    assert (instance.status, instance.reason_code) == ("terminating", "RUNTIME_LIMIT")
    assert "60 minutes" in instance.reason_message
    assert events(instance).count("instance.terminating") == 1
    service.ended(instance)
    assert (instance.status, novita.instances) == ("terminated", {})
    enforce(service)
    assert events(instance)[-1] == "instance.terminated"


@pytest.mark.parametrize("status", ["starting", "stopping", "stopped", "migrating"])
def test_whatever_it_is_doing_it_ends(service: Service, novita: FakeNovita, status: str) -> None:
    instance = ends_in(limited(service, novita), timedelta(0))
    Instance.objects.update(status=status)
    enforce(service)
    instance.refresh_from_db()
    assert instance.status == "terminating"


def test_what_was_kept_after_a_failure_ends_as_well(service: Service, novita: FakeNovita) -> None:
    instance = service.placed(max_runtime_minutes=60, on_start_failure="keep")
    novita.put("up-1", status="pulling")
    age(instance, start_deadline_at=timedelta(hours=1))
    assert service.watch(instance).status == "failed"
    ends_in(instance, timedelta(0))
    enforce(service)
    instance.refresh_from_db()
    assert (instance.status, instance.error_code) == ("terminating", "STARTUP_TIMEOUT")


def test_a_failed_one_that_is_being_ended_stays_failed(
    service: Service, novita: FakeNovita
) -> None:
    instance = service.placed(max_runtime_minutes=60)
    novita.put("up-1", status="pulling")
    age(instance, start_deadline_at=timedelta(hours=1))
    assert service.watch(instance).status == "failed"
    ends_in(instance, timedelta(0))
    enforce(service)
    instance.refresh_from_db()
    assert (instance.status, instance.expiry_warned_at) == ("failed", None)


def test_what_has_no_limit_and_what_is_not_due_runs_on(
    service: Service, novita: FakeNovita
) -> None:
    free, early = service.running(novita), limited(service, novita)
    ends_in(early, timedelta(hours=1))
    enforce(service)
    for instance in (free, early):
        instance.refresh_from_db()
        assert (instance.status, instance.expiry_warned_at) == ("running", None)


def test_it_looks_again_no_later_than_the_next_end(service: Service, novita: FakeNovita) -> None:
    ends_in(limited(service, novita), timedelta(seconds=2))
    enforce(service)
    job = Job.objects.get(type="enforce_limits")
    assert job.status == "pending"
    assert job.run_at <= database_time(timedelta(seconds=2))


def test_one_that_is_ended_while_it_is_looked_at_is_left_alone(
    service: Service, novita: FakeNovita
) -> None:
    instance = ends_in(limited(service, novita), timedelta(0))
    service.ask("terminate", instance)
    before = events(instance)
    enforce(service)
    assert events(instance) == before


def test_a_worker_that_lost_its_lease_ends_nothing(service: Service, novita: FakeNovita) -> None:
    instance = ends_in(limited(service, novita), timedelta(0))
    queue.ensure_recurring()
    Job.objects.filter(type="enforce_limits").update(
        status="processing", lease_token=2, lease_expires_at=database_time(timedelta(minutes=1))
    )
    mine = Job.objects.get(type="enforce_limits")
    mine.lease_token = 1
    EnforceLimits().load([mine])
    instance.refresh_from_db()
    assert (instance.status, instance.expiry_warned_at) == ("running", None)


# The warning


def test_it_is_told_once_before_the_end(
    service: Service, novita: FakeNovita, configure: Configure
) -> None:
    configure(expiry_warning=300)
    instance = ends_in(limited(service, novita, webhook_url=HOOK), timedelta(seconds=301))
    enforce(service)
    assert "instance.expiring" not in events(instance)
    ends_in(instance, timedelta(seconds=299))
    enforce(service, times=3)
    assert events(instance).count("instance.expiring") == 1
    event = InstanceEvent.objects.get(type="instance.expiring")
    instance.refresh_from_db()
    assert instance.status == "running"
    assert event.data["expiresAt"][:16] == f"{instance.expires_at:%Y-%m-%dT%H:%M}"
    assert WebhookDelivery.objects.filter(event=event).count() == 1


def test_a_short_life_is_warned_of_at_half_time(
    service: Service, novita: FakeNovita, configure: Configure
) -> None:
    configure(expiry_warning=300)
    instance = service.running(novita, max_runtime_minutes=2)
    ends_in(instance, timedelta(seconds=70))
    enforce(service)
    assert "instance.expiring" not in events(instance)
    ends_in(instance, timedelta(seconds=50))
    enforce(service)
    assert "instance.expiring" in events(instance)


def test_what_ends_already_is_not_warned_of(service: Service, novita: FakeNovita) -> None:
    instance = ends_in(limited(service, novita), timedelta(seconds=30))
    service.ask("terminate", instance)
    enforce(service)
    assert "instance.expiring" not in events(instance)


# A project's own limits


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
    with pytest.raises(WishRefused) as refused:
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
    assert service.watch(instance).status == "failed"
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
            create_instance(project=mine, wish=WISH, cause=Cause("key:test"))
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


# The price cap, right before the create

DEAR = replace(PRODUCT, spot_price_e5_usd=36_000)
CHEAP = replace(PRODUCT, id="prod-b", spot_price_e5_usd=35_500)


def capped(service: Service, **wish: Any) -> Instance:
    """Chosen from a list in which it was cheap enough; the next run checks and sends."""
    instance = service.create(max_price_per_hour_e5_usd=35_999, **wish)
    service.run("create_instance")
    return instance


def create(service: Service, instance: Instance, *, times: int = 1) -> Instance:
    service.run("create_instance", times=times)
    instance.refresh_from_db()
    return instance


def test_a_cap_is_checked_with_a_fresh_list_before_the_create(
    service: Service, novita: FakeNovita
) -> None:
    instance = capped(service)
    novita.calls.clear()
    create(service, instance)
    assert novita.calls == ["list_products", "create_instance"]
    assert instance.status == "starting"


def test_a_price_that_rose_meanwhile_sends_nothing_and_takes_the_next_offer(
    service: Service, novita: FakeNovita
) -> None:
    instance = capped(service)
    novita.products[:] = [DEAR, CHEAP]
    create(service, instance, times=4)
    assert [request.product_id for request in novita.created] == ["prod-b"]
    assert "above the price cap" in instance.refused_offers["prod-a"]


def test_where_every_price_rose_it_fails_and_was_never_created(
    service: Service, novita: FakeNovita
) -> None:
    instance = capped(service)
    novita.products[:] = [DEAR]
    create(service, instance, times=4)
    assert (novita.created, instance.status) == ([], "failed")
    assert instance.error_code == "PRICE_ABOVE_CAP"
    assert "0.36 USD an hour" in instance.error_message


def test_what_is_too_dear_from_the_start_says_so(service: Service, novita: FakeNovita) -> None:
    instance = service.create(max_price_per_hour_e5_usd=34_999)
    create(service, instance, times=2)
    assert (instance.status, instance.error_code) == ("failed", "PRICE_ABOVE_CAP")


def test_the_cap_is_for_all_gpus_together(service: Service, novita: FakeNovita) -> None:
    instance = service.create(max_price_per_hour_e5_usd=69_999, gpu_num=2)
    create(service, instance, times=2)
    assert (instance.status, instance.error_code) == ("failed", "PRICE_ABOVE_CAP")
    assert novita.created == []


def test_what_is_sold_out_below_the_cap_is_called_sold_out(
    service: Service, novita: FakeNovita
) -> None:
    novita.products.append(replace(PRODUCT, id="dear", spot_price_e5_usd=90_000))
    instance = capped(service)
    novita.fail("create_instance", InsufficientResource("400", status=400), times=3)
    create(service, instance, times=4)
    assert (instance.status, instance.error_code) == ("failed", "INSUFFICIENT_RESOURCE")


@pytest.mark.parametrize("left", [[], [replace(PRODUCT, id="other")]])
def test_an_offer_that_is_gone_from_the_fresh_list_is_not_sent(
    service: Service, novita: FakeNovita, left: list[Any]
) -> None:
    instance = capped(service)
    novita.products[:] = left
    create(service, instance)
    assert (novita.created, instance.create_step) == ([], "choose")


def test_without_a_fresh_list_nothing_is_sent_and_it_is_tried_again(
    service: Service, novita: FakeNovita
) -> None:
    instance = capped(service)
    novita.fail("list_products", DOWN)
    create(service, instance)
    assert (novita.created, instance.status, instance.create_step) == ([], "creating", "choose")
    create(service, instance)
    assert instance.status == "starting"
