"""The figures that alerts are made of: what is held, what it costs, what is not as it should be."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import Project
from core.clock import database_now
from instances.lifecycle import spend_rate
from instances.lifecycle.spend_rate import SpendRate
from instances.models import (
    Installation,
    Instance,
    Orphan,
    ReconcileRun,
    UpstreamEnding,
)
from novitai.monitoring.instance_metrics import InstanceMetrics
from tests.instances.admin.conftest import Make, make
from tests.novitai.monitoring.test_metrics import scrape, value

__all__ = ["make"]
pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


def read(api: Client, name: str, **labels: str) -> float | None:
    return value(scrape(api), f"novitai_{name}", **labels)


def end(instance: Instance, upstream_id: str, **fields: Any) -> UpstreamEnding:
    ending = UpstreamEnding.objects.create(
        project=instance.project, instance=instance, account="acc", upstream_id=upstream_id
    )
    UpstreamEnding.objects.filter(pk=ending.pk).update(**fields)
    return ending


def test_every_status_has_a_figure_and_those_that_ended_have_none(api: Client, make: Make) -> None:
    make("running")
    make("terminated")
    samples = scrape(api)
    assert value(samples, "novitai_instances", status="running") == 1
    assert value(samples, "novitai_instances", status="terminating") == 0
    assert value(samples, "novitai_instances", status="terminated") is None


def test_the_spend_rate_is_what_is_held_and_charged_and_nothing_else(
    api: Client, make: Make
) -> None:
    now = database_now()
    make("running")
    make("failed", upstream_status="running")
    make("terminating", upstream_status="toStop")
    make("terminating", upstream_status="removing", billing_since=now)
    make("stopped", upstream_status="exited", billing_since=now)
    make("terminated", upstream_status="running", billing_since=now)
    make("creating", upstream_id="", billing_since=now)
    make("stopped", upstream_status="migrating", billing_since=None)
    make("migrating", upstream_status="migrating", billing_since=now)
    make("running", upstream_status="hibernating", billing_since=now)
    samples = scrape(api)
    assert value(samples, "novitai_burn_usd_per_hour") == pytest.approx(3.5)
    assert value(samples, "novitai_instances_held") == 8
    assert sum(spend_rate.of(each).e5_usd for each in Instance.objects.all()) == 350_000


def test_projects_and_orphans_add_up_to_the_spend_rate_of_all(
    project: Project, other_project: Project, make: Make
) -> None:
    account = settings.CONFIG.upstream_account
    mine, theirs = make("running"), make("terminating", upstream_status="running", of=other_project)
    end(mine, "double", upstream_status="running")
    end(theirs, "going", upstream_status="removing")
    end(theirs, "not seen yet")
    end(theirs, "in a word that is not known", upstream_status="hibernating")
    end(theirs, theirs.upstream_id)
    make("running", price_e5_usd=None)
    for number, status in enumerate(("running", "exited", "pulling")):
        Orphan.objects.create(
            account=account, upstream_id=f"o-{number}", upstream_name="n", gpu_num=2,
            upstream_status=status, price_e5_usd=10_000 if status == "running" else None,
        )  # fmt: skip
    Orphan.objects.create(
        account=account, upstream_id="left", upstream_name="n", state="gone",
        upstream_status="running", price_e5_usd=10_000,
    )  # fmt: skip
    parts = [
        spend_rate.of_project(project),
        spend_rate.of_project(other_project),
        spend_rate.of_orphans(),
    ]
    assert parts == [SpendRate(140_000, 1), SpendRate(210_000, 0), SpendRate(20_000, 1)]
    assert sum(parts, SpendRate()) == spend_rate.of_project()
    assert spend_rate.of_project().text == "3.70 and 2 of unknown price"


def test_unconfirmed_creates_are_counted_with_the_age_of_the_oldest(
    api: Client, make: Make
) -> None:
    now = database_now()
    make("creating", upstream_id="", create_step="post", posted_at=now)
    make("terminating", upstream_id="", create_step="look_up", posted_at=now - HOUR)
    make("running", posted_at=now - 9 * HOUR)
    samples = scrape(api)
    assert value(samples, "novitai_creates_in_doubt") == 2
    assert 3600 <= (value(samples, "novitai_oldest_create_in_doubt_seconds") or 0) < 3660


def test_open_endings_are_counted_with_the_age_of_the_oldest(api: Client, make: Make) -> None:
    now, instance = database_now(), make("terminating")
    end(instance, "a", created_at=now - HOUR)
    end(instance, "b", created_at=now)
    end(instance, "c", created_at=now - 9 * HOUR, confirmed_at=now)
    samples = scrape(api)
    assert value(samples, "novitai_endings_open") == 2
    assert 3600 <= (value(samples, "novitai_oldest_open_ending_seconds") or 0) < 3660


def test_with_nothing_at_all_there_are_figures_all_the_same(api: Client) -> None:
    samples = scrape(api)
    for name in (
        *("burn_usd_per_hour", "instances_held", "creates_in_doubt", "endings_open"),
        *("oldest_create_in_doubt_seconds", "oldest_open_ending_seconds", "reconcile_braked"),
    ):
        assert value(samples, f"novitai_{name}") == 0
    assert value(samples, "novitai_orphans", state="seen") == 0
    assert value(samples, "novitai_reconcile_age_seconds") is None


def test_the_reconciler_tells_its_age_its_mass_guard_and_its_orphans(api: Client) -> None:
    now = database_now()
    Installation.objects.create(id=1, braked_at=now)
    for ran_at, is_complete in ((now - HOUR, True), (now, False)):
        run = ReconcileRun.objects.create(account="acc", is_complete=is_complete)
        ReconcileRun.objects.filter(pk=run.pk).update(ran_at=ran_at)
    Orphan.objects.create(account="acc", upstream_id="up", upstream_name="n")
    samples = scrape(api)
    assert value(samples, "novitai_reconcile_braked") == 1
    assert 3600 <= (value(samples, "novitai_reconcile_age_seconds") or 0) < 3660
    assert value(samples, "novitai_orphans", state="seen") == 1


def test_a_reading_walks_through_no_ended_instance(project: Project, make: Make) -> None:
    """Beside many that ended, each reading takes an index, and none the whole table."""
    made = make("terminated")
    rows = [
        Instance(
            project=project,
            name=f"n{number}",
            gpu_num=1,
            rootfs_size_gb=60,
            status="terminated",
            create_step="placed",
            upstream_id=f"old-{number}",
            upstream_account="acc",
            upstream_gone_at=made.upstream_gone_at,
        )
        for number in range(5_000)
    ]
    Instance.objects.bulk_create(rows)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE instances_instance")
    with CaptureQueriesContext(
        connection,
    ) as captured:
        InstanceMetrics.read(database_now())
    with connection.cursor() as cursor:
        for query in captured:
            cursor.execute(f"EXPLAIN {query['sql']}")
            plan = "\n".join(row[0] for row in cursor.fetchall())
            assert "Seq Scan on instances_instance" not in plan, plan
