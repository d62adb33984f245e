"""Instances in whatever status a page is to show, and an operator who may only look."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.db.models.functions import Now
from django.test import Client

from accounts.models import Project
from core.clock import database_now
from instances.domain.types import Cause, InstanceRequest
from instances.models import Instance
from instances.services import create_instance

SPEC = InstanceRequest(
    name="mine", product_name="RTX 4090", template_id="1", region="CN-HK-01", gpu_num=2
)
Make = Callable[..., Instance]


@pytest.fixture
def make(project: Project) -> Make:
    """An instance at Novita, charged 0.35 USD per GPU-hour while it runs."""

    def make(status: str = "running", *, of: Project | None = None, **fields: Any) -> Instance:
        cause = Cause("key:test")
        instance = create_instance(project=of or project, spec=SPEC, cause=cause).instance
        defaults: dict[str, Any] = {
            "upstream_id": f"up-{instance.pk}",
            "upstream_account": "acc",
            "create_step": "placed",
            "price_e5_usd": 35_000,
        }
        if status == "running":
            defaults["billing_since"] = database_now() - timedelta(hours=1)
            defaults["upstream_status"] = "running"
        if status == "failed":
            defaults["error_code"] = "STARTUP_FAILED"
        if status == "terminated":
            defaults["upstream_gone_at"] = Now()
        Instance.objects.filter(pk=instance.pk).update(status=status, **{**defaults, **fields})
        instance.refresh_from_db()
        return instance

    return make


@pytest.fixture
def viewer(db: None) -> Client:
    """May look at everything, and change nothing."""
    user = User.objects.create_user("viewer", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__startswith="view_"))
    client = Client()
    client.force_login(user)
    return client
