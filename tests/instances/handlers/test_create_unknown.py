"""Wishes for products and templates that Novita does not have: few calls, and none of others."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest

from accounts.models import Project
from accounts.services import ensure_project
from core.clock import database_now
from instances.catalogue import misses
from instances.models import Instance, ListedTemplate, UpstreamGate
from instances.novita import limiter
from instances.novita.call_classes import CallClass
from jobs.models import Job
from tests.instances.handlers.conftest import Service
from tests.instances.handlers.creates import create
from tests.support.fakes import PRODUCT, TEMPLATE, FakeNovita
from upstream.errors import InvalidRequest

pytestmark = pytest.mark.django_db


@pytest.fixture
def warm(service: Service, novita: FakeNovita) -> None:
    """The cache has the catalogue and a template."""
    service.placed()
    novita.calls.clear()


def failures(*instances: Instance) -> set[tuple[str, str]]:
    for instance in instances:
        instance.refresh_from_db()
    return {(instance.status, instance.error_code) for instance in instances}


def another_project() -> Project:
    project = ensure_project("other")
    project.private_templates = None
    project.save()
    return project


def spend_all_of(call_class: CallClass) -> None:
    """All calls that the class may use; none come back during the test."""
    limiter.reserve(10_000, call_class, at_least=1)
    UpstreamGate.objects.update(refilled_at=database_now() + timedelta(hours=1))


def leave_no_calls_to_spare() -> None:
    spend_all_of(CallClass.OTHER)


@pytest.mark.usefixtures("warm")
def test_one_search_answers_for_all_unknown_products(service: Service, novita: FakeNovita) -> None:
    made = [service.create(product_name=f"H9{number}") for number in range(20)]
    service.run("create_instance", times=2)
    # Claimed again after the answer of the first.
    service.run("create_instance", times=2)
    assert failures(*made) == {("failed", "PRODUCT_NOT_FOUND")}
    assert novita.calls == ["list_clusters", *["list_products"] * 3]


@pytest.mark.usefixtures("warm")
def test_without_spare_calls_the_cache_decides(service: Service, novita: FakeNovita) -> None:
    leave_no_calls_to_spare()
    instance = create(service, service.create(product_name="H900"))
    assert failures(instance) == {("failed", "PRODUCT_NOT_FOUND")}
    assert novita.calls == []


@pytest.mark.usefixtures("warm")
def test_a_product_that_is_new_at_novita_is_found(service: Service, novita: FakeNovita) -> None:
    novita.products.append(replace(PRODUCT, id="new", name="H900"))
    instance = create(service, service.create(product_name="H900"), times=2)
    assert (instance.status, instance.product_id) == ("starting", "new")


@pytest.mark.usefixtures("warm")
def test_a_product_that_is_sold_elsewhere_is_not_called_unknown(
    service: Service, novita: FakeNovita
) -> None:
    """Also for those that another one's search answers."""
    misses.keep_search("us-ca-6", "spot", [replace(PRODUCT, name="H900", regions=("EU-1",))])
    instance = create(service, service.create(product_name="h900"))
    assert failures(instance) == {("failed", "NO_OPTIMAL_PRODUCT")}
    assert "EU-1" in instance.error_message
    assert novita.calls == []


@pytest.mark.usefixtures("warm")
def test_an_unknown_template_is_looked_up_once_for_all(
    service: Service, novita: FakeNovita
) -> None:
    made = [service.create(template_id="nope") for _ in range(5)]
    service.run("create_instance")
    made.append(create(service, service.create(template_id="nope")))
    assert failures(*made) == {("failed", "TEMPLATE_NOT_FOUND")}
    assert novita.calls == ["get_template"]


@pytest.mark.usefixtures("warm")
def test_a_refused_template_id_is_remembered_too(service: Service, novita: FakeNovita) -> None:
    novita.fail("get_template", InvalidRequest("400 BAD_ID", status=400), times=9)
    first = create(service, service.create(template_id="?"))
    second = create(service, service.create(template_id="?"))
    assert failures(first, second) == {("failed", "UPSTREAM_REJECTED")}
    assert novita.calls == ["get_template"]


@pytest.mark.usefixtures("warm")
def test_a_template_that_was_never_seen_is_found(service: Service, novita: FakeNovita) -> None:
    novita.templates["new"] = replace(TEMPLATE, id="new")
    instance = create(service, service.create(template_id="new"), times=2)
    assert instance.status == "starting"
    assert novita.calls == ["get_template", "create_instance"]


@pytest.mark.usefixtures("warm")
def test_a_look_up_of_an_unknown_template_waits_for_spare_calls(
    service: Service, novita: FakeNovita
) -> None:
    leave_no_calls_to_spare()
    waiting = create(service, service.create(template_id="nope"))
    known = create(service, service.create())
    assert (waiting.status, known.status) == ("creating", "starting")
    assert novita.calls == ["create_instance"]
    UpstreamGate.objects.all().delete()
    assert create(service, waiting).error_code == "TEMPLATE_NOT_FOUND"


@pytest.mark.usefixtures("warm")
def test_a_listed_template_is_read_with_the_calls_of_creates(
    service: Service, novita: FakeNovita
) -> None:
    novita.templates["listed"] = replace(TEMPLATE, id="listed")
    account = UpstreamGate.objects.get().account
    ListedTemplate.objects.create(account=account, template_id="listed")
    leave_no_calls_to_spare()
    instance = create(service, service.create(template_id="listed"), times=2)
    assert instance.status == "starting"


@pytest.mark.usefixtures("warm")
def test_creates_that_wait_for_the_budget_come_back_one_after_the_other(
    service: Service, novita: FakeNovita
) -> None:
    spend_all_of(CallClass.CREATE)
    for _ in range(5):
        service.create()
    service.run("create_instance")
    waiting = Job.objects.filter(type="create_instance", status="pending")
    due = sorted(waiting.values_list("run_at", flat=True))
    gaps = {round((later - earlier).total_seconds(), 2) for earlier, later in pairwise(due)}
    assert gaps == {0.25}


@pytest.mark.usefixtures("warm")
def test_a_batch_of_two_projects_takes_calls_for_each(service: Service, novita: FakeNovita) -> None:
    """The project whose many creates come first does not take the calls of the other's."""
    spend_all_of(CallClass.CREATE)
    loud = [service.create() for _ in range(3)]
    other = service.create()
    Instance.objects.filter(pk=other.pk).update(project=another_project())
    service.run("create_instance")
    UpstreamGate.objects.update(tokens_e3=18_000)
    service.run("create_instance")
    other.refresh_from_db()
    assert other.status == "starting"
    assert "creating" in {Instance.objects.get(pk=each.pk).status for each in loud}


@pytest.mark.usefixtures("warm")
def test_a_forbidden_template_costs_as_much_as_an_unknown_one(
    service: Service, novita: FakeNovita
) -> None:
    service.project.private_templates = []
    service.project.save()
    instance = create(service, service.create())
    assert failures(instance) == {("failed", "TEMPLATE_NOT_FOUND")}
    assert novita.calls == ["get_template"]


@pytest.mark.usefixtures("warm")
def test_the_same_wish_of_two_projects_is_read_once_in_the_turn_of_one_of_them(
    service: Service, novita: FakeNovita
) -> None:
    novita.templates["new"] = replace(TEMPLATE, id="new")
    one, other = (service.create(template_id="new") for _ in range(2))
    Instance.objects.filter(pk=other.pk).update(project=another_project())
    service.run("create_instance", times=3)
    assert failures(one, other) == {("starting", "")}
    assert novita.calls.count("get_template") == 1
