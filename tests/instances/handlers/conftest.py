"""An upstream in memory behind the handlers, and the service's verbs over it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.db.models import F

from accounts.models import Project
from instances import upstream
from instances.models import Instance
from instances.services import create_instance
from instances.types import Cause, Wish
from jobs.models import Job
from tests.engine import make_due, run_due
from tests.fakes import FakeNovita

WISH = Wish(name="My GPU", product_name="RTX 4090 24GB", template_id="tpl-1", region="US-WEST-01")
HOOK = "https://hooks.example.com/gpu"


@pytest.fixture
def novita(monkeypatch: pytest.MonkeyPatch) -> FakeNovita:
    fake = FakeNovita()
    monkeypatch.setattr(upstream, "client", fake.client)
    cache.clear()
    return fake


class Service:
    """What a user and the passing of time do to instances."""

    def __init__(self, project: Project) -> None:
        self.project = project

    def create(self, **wish: Any) -> Instance:
        cause = Cause("key:test", request_id="req-1")
        wished = replace(WISH, **wish)
        return create_instance(project=self.project, wish=wished, cause=cause).instance

    def run(self, type_: str, *, times: int = 1) -> None:
        """Let jobs of one type be due and run them; the others keep their time."""
        for _ in range(times):
            Job.objects.live().exclude(type=type_).update(run_at=F("run_at") + timedelta(hours=1))
            make_due(type=type_)
            run_due()

    def placed(self, **wish: Any) -> Instance:
        """An instance that Novita has accepted."""
        instance = self.create(**wish)
        self.run("create_instance", times=3)
        instance.refresh_from_db()
        assert instance.status == "starting"
        return instance


@pytest.fixture
def service(project: Project) -> Service:
    return Service(project)


def age(instance: Instance, **fields: timedelta) -> None:
    """Move moments of an instance into the past."""
    Instance.objects.filter(pk=instance.pk).update(
        **{name: F(name) - span for name, span in fields.items()}
    )


def events(instance: Instance) -> list[str]:
    return list(instance.events.values_list("type", flat=True))
