"""Operators see what the reconciler found, and whether it may act."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from instances.models import Installation, Orphan, ReconcileRun
from instances.novita import installation

pytestmark = pytest.mark.django_db


def page(client: Client, name: str, *args: object, query: str = "") -> str:
    response = client.get(reverse(f"admin:instances_{name}", args=args) + query)
    assert response.status_code == 200
    return response.content.decode()


def test_a_pass_shows_its_findings(admin_client: Client) -> None:
    finding = {"kind": "double", "upstreamId": "up-9", "instance": "inst_1", "text": "<b>two</b>"}
    run = ReconcileRun.objects.create(account="a", findings=[finding], note="Braked: 3 of 3")
    ReconcileRun.objects.create(account="a")
    assert "Braked: 3 of 3" in page(admin_client, "reconcilerun_changelist", query="?found=held")
    assert (
        page(admin_client, "reconcilerun_changelist", query="?found=some").count("field-ran_at")
        == 1
    )
    shown = page(admin_client, "reconcilerun_change", run.pk)
    assert "up-9" in shown
    assert "&lt;b&gt;two" in shown


def test_an_orphan_shows_what_it_costs(admin_client: Client) -> None:
    Orphan.objects.create(
        account="a", upstream_id="up-9", upstream_name="lost", gpu_num=2, price_e5_usd=35_000
    )
    assert "0.70 USD" in page(admin_client, "orphan_changelist")


def test_a_copy_is_recognised_and_the_key_is_not_shown(admin_client: Client) -> None:
    installation.is_ours()
    row = Installation.objects.get()
    assert "icon-yes" in page(admin_client, "installation_changelist")
    Installation.objects.update(environment="elsewhere")
    shown = page(admin_client, "installation_change", 1)
    assert "icon-no" in shown
    assert row.signing_key not in shown
