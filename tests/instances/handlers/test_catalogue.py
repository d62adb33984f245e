"""refresh_catalogue: what it lists, how often, and what an outage leaves."""

from dataclasses import replace
from datetime import timedelta

import pytest

from accounts.models import Project
from instances.handlers.catalogue import RefreshCatalogue
from instances.models import CachedProduct, ListedTemplate
from instances.novita import limiter
from instances.novita.call_classes import CallClass
from jobs.handler import WorkItem
from jobs.models import Job
from tests.support.fakes import DOWN, TEMPLATE, FakeNovita


@pytest.fixture
def novita(db: None, novita: FakeNovita) -> FakeNovita:
    novita.templates = {"1": replace(TEMPLATE, id="1", channel="official")}
    return novita


def refresh(project: Project) -> None:
    """One run, by the three paragraphs of a handler."""
    handler = RefreshCatalogue()
    job = Job(type="refresh_catalogue", pk=1)
    (unit,) = handler.load([job])
    assert isinstance(unit, WorkItem)
    result = handler.call(unit.work)
    handler.record_usage([(unit.work, result)])
    handler.apply([job], unit.work, result)


def test_templates_are_listed_now_and_then_and_products_each_time(
    novita: FakeNovita, project: Project
) -> None:
    refresh(project)
    refresh(project)
    assert novita.calls.count("list_templates") == 2
    assert novita.calls.count("list_products") == 4
    assert [row.template_id for row in ListedTemplate.objects.all()] == ["1"]
    ago = ListedTemplate.objects.get().fetched_at - timedelta(minutes=6)
    ListedTemplate.objects.update(fetched_at=ago)
    refresh(project)
    assert novita.calls.count("list_templates") == 4


def test_half_a_list_of_templates_replaces_nothing(novita: FakeNovita, project: Project) -> None:
    refresh(project)
    ListedTemplate.objects.update(fetched_at="2026-01-01T00:00:00Z")
    novita.templates["2"] = replace(TEMPLATE, id="2", channel="private")
    novita.templates.pop("1")
    novita.fail("list_templates", DOWN)
    refresh(project)
    assert [row.template_id for row in ListedTemplate.objects.all()] == ["1"]
    assert CachedProduct.objects.exists()


def test_what_is_not_called_goes_back_into_the_budget(novita: FakeNovita, project: Project) -> None:
    before = limiter.reserve(1, CallClass.WATCH)
    refresh(project)
    refresh(project)
    assert before.is_granted
    assert limiter.reserve(1, CallClass.WATCH).is_granted
