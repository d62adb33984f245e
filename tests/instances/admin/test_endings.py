"""The console for GPUs that must end."""

from datetime import timedelta

from django.test import Client
from django.urls import reverse

from core.clock import database_now
from instances.models import Instance, UpstreamEnding
from tests.instances.admin.conftest import Make

LIST = "/admin/instances/upstreamending/"


def ending(instance: Instance, upstream_id: str, *, age: timedelta, **fields: object) -> None:
    made = UpstreamEnding.objects.create(
        project=instance.project,
        instance=instance,
        account="acc",
        upstream_id=upstream_id,
        reason="a test",
        **fields,
    )
    UpstreamEnding.objects.filter(pk=made.pk).update(created_at=database_now() - age)


def test_what_goes_on_for_long_stands_out_with_its_age_its_price_and_novitas_words(
    admin_client: Client, make: Make
) -> None:
    instance = make("terminating")
    Instance.objects.update(upstream_status="running")
    ending(
        instance, instance.upstream_id, age=timedelta(hours=2), looks=240, last_error="500 oh no"
    )
    text = admin_client.get(LIST).content.decode()
    assert '<span class="jobs-state is-bad">not ended yet</span>' in text
    assert "2:00:0" in text
    assert "0.70" in text
    assert "240" in text
    assert "500 oh no" in text


def test_a_duplicate_costs_what_its_twin_costs(admin_client: Client, make: Make) -> None:
    ending(make("stopped"), "twin", age=timedelta(0))
    text = admin_client.get(LIST).content.decode()
    assert '<td class="field-hourly">0.70</td>' in text
    assert "is-bad" not in text


def test_what_has_ended_costs_nothing_and_tells_how_long_it_took(
    admin_client: Client, make: Make
) -> None:
    now = database_now()
    ending(make("terminated"), "gone", age=timedelta(hours=2))
    UpstreamEnding.objects.update(confirmed_at=now - timedelta(hours=2) + timedelta(seconds=20))
    text = admin_client.get(LIST).content.decode()
    assert '<td class="field-hourly">-</td>' in text
    assert "0:00:2" in text or "0:00:19" in text


def test_its_page_opens_and_changes_nothing(admin_client: Client, make: Make) -> None:
    ending(make("terminating"), "up", age=timedelta(0))
    page = reverse("admin:instances_upstreamending_change", args=[UpstreamEnding.objects.get().pk])
    assert "not ended yet" in admin_client.get(page).content.decode()
    assert admin_client.post(page, {"reason": "x"}).status_code == 403
