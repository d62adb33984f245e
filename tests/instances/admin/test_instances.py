"""The console for instances."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from django.contrib import admin
from django.core.management import call_command
from django.db.models.functions import Now
from django.test import Client
from django.urls import reverse

from accounts.models import Project
from instances.domain.enums import InstanceStatus
from instances.domain.types import Cause, InstanceRequest
from instances.models import Instance, UpstreamEnding, UpstreamGate
from instances.services import create_instance
from jobs.models import Job
from webhooks.models import Delivery

LIST = "/admin/instances/instance/"


@pytest.fixture
def instance(project: Project) -> Instance:
    spec = InstanceRequest(
        name="mine",
        product_name="RTX 4090",
        template_id="1",
        region="CN-HK-01",
        webhook_url="https://a.example/hook?key=hunter2",
    )
    return create_instance(project=project, spec=spec, cause=Cause("key:abc", "because")).instance


def test_the_page_tells_the_whole_story_and_no_secret(
    admin_client: Client, instance: Instance
) -> None:
    Instance.objects.filter(pk=instance.pk).update(price_e5_usd=35_000)
    page = admin_client.get(reverse("admin:instances_instance_change", args=[instance.pk]))
    text = page.content.decode()
    assert "0.35 USD" in text
    assert "https://a.example/hook?…" in text
    assert "hunter2" not in text
    assert "key:abc" in text
    for job in Job.objects.filter(subject=instance.public_id):
        assert reverse("admin:jobs_job_change", args=[job.pk]) in text
    deliveries = reverse("admin:webhooks_delivery_changelist")
    assert f"{deliveries}?q={instance.public_id}" in text


def test_instances_are_filtered_by_status(admin_client: Client, instance: Instance) -> None:
    shown = admin_client.get(LIST, {"status__exact": InstanceStatus.CREATING})
    assert instance.public_id in shown.content.decode()
    hidden = admin_client.get(LIST, {"status__exact": InstanceStatus.FAILED})
    assert instance.public_id not in hidden.content.decode()


@pytest.mark.parametrize("query", ["region=CN-HK-01", "q=mine", "billing_mode__exact=spot"])
def test_instances_are_found(admin_client: Client, instance: Instance, query: str) -> None:
    assert instance.public_id in admin_client.get(f"{LIST}?{query}").content.decode()
    nowhere = admin_client.get(f"{LIST}?region=US-WEST-01").content.decode()
    assert instance.public_id not in nowhere


def test_a_delivery_shows_its_payload(admin_client: Client, instance: Instance) -> None:
    delivery = Delivery.objects.get()
    url = reverse("admin:webhooks_delivery_change", args=[delivery.pk])
    assert "instance.creating" in admin_client.get(url).content.decode()


def test_every_list_of_the_console_opens(admin_client: Client, instance: Instance) -> None:
    UpstreamGate.objects.create(account="acc", tokens_e3=int(Decimal(1000)))
    for model in admin.site._registry:
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist"
        assert admin_client.get(reverse(name)).status_code == 200


def test_rows_are_not_written_from_here(admin_client: Client, instance: Instance) -> None:
    page = reverse("admin:instances_instance_change", args=[instance.pk])
    assert admin_client.post(page, {"status": "running"}).status_code == 403
    assert admin_client.get(f"{LIST}add/").status_code == 403


def test_gpus_that_are_still_to_end_are_told_from_those_that_have(
    admin_client: Client, instance: Instance
) -> None:
    common = {"project": instance.project, "instance": instance, "account": "acc", "reason": "x"}
    UpstreamEnding.objects.create(upstream_id="open-one", **common)
    UpstreamEnding.objects.create(upstream_id="ended-one", confirmed_at=Now(), **common)
    page = admin_client.get("/admin/instances/upstreamending/", {"state": "open"}).content.decode()
    assert "open-one" in page
    assert "ended-one" not in page


def test_moments_are_written_with_seconds_and_zone(
    admin_client: Client, instance: Instance
) -> None:
    Instance.objects.update(created_at=datetime(2026, 11, 22, 3, 4, 5, tzinfo=UTC))
    page = admin_client.get(LIST).content.decode()
    assert "2026-11-22 03:04:05 UTC" in page


def test_django_finds_no_fault_with_the_console(db: None) -> None:
    """What it finds stops every command, `manage.py migrate` first of all."""
    call_command("check", fail_level="WARNING")
