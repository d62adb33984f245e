"""An upstream in memory behind the handlers, and the service's verbs over it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.db.models import F

from accounts.models import Project
from instances.domain.types import Cause, InstanceRequest
from instances.models import Instance, UpstreamEnding
from instances.novita import client_factory
from instances.services import (
    create_instance,
    restart_instance,
    start_instance,
    stop_instance,
    terminate_instance,
)
from jobs.models import Job
from tests.instances.handlers.webhook_receiver import Receiver
from tests.support.engine import make_due, run_due
from tests.support.fakes import FakeNovita
from webhooks.handlers import letters

SPEC = InstanceRequest(
    name="My GPU", product_name="RTX 4090 24GB", template_id="tpl-1", region="US-WEST-01"
)
CALLER = Cause("key:test", request_id="req-1")
VERBS = {
    "start": start_instance,
    "stop": stop_instance,
    "restart": restart_instance,
    "terminate": terminate_instance,
}
HOOK = "https://hooks.example.com/gpu"


@pytest.fixture
def novita(monkeypatch: pytest.MonkeyPatch) -> FakeNovita:
    fake = FakeNovita()
    monkeypatch.setattr(client_factory, "client", fake.client)
    cache.clear()
    return fake


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Receiver:
    receiver = Receiver()
    monkeypatch.setattr(letters, "deliver", receiver.deliver)
    return receiver


class Service:
    """What a user and the passing of time do to instances."""

    def __init__(self, project: Project) -> None:
        self.project = project

    def create(self, **spec: Any) -> Instance:
        requested = replace(SPEC, **spec)
        return create_instance(project=self.project, spec=requested, cause=CALLER).instance

    def run(self, type_: str, *, times: int = 1) -> None:
        """Let jobs of one type be due and run them; the others keep their time."""
        for _ in range(times):
            Job.objects.live().exclude(type=type_).update(run_at=F("run_at") + timedelta(hours=1))
            make_due(type=type_)
            run_due()

    def placed(self, **spec: Any) -> Instance:
        """An instance that Novita has accepted."""
        instance = self.create(**spec)
        self.run("create_instance", times=3)
        instance.refresh_from_db()
        assert instance.status == "starting"
        return instance

    def running(self, novita: FakeNovita, **spec: Any) -> Instance:
        """An instance that has come to run, some time ago."""
        instance = self.placed(**spec)
        novita.put(instance.upstream_id, status="running", ssh_command="ssh root@h")
        self.monitor(instance)
        assert instance.status == "running"
        age(instance, status_changed_at=AGO, upstream_changed_at=AGO)
        instance.refresh_from_db()
        novita.calls.clear()
        return instance

    def stopped(self, novita: FakeNovita, **spec: Any) -> Instance:
        """One that ran and was stopped, some time ago."""
        instance = self.running(novita, **spec)
        self.ask("stop", instance)
        self.run("stop_instance")
        novita.put(instance.upstream_id, status="exited")
        self.monitor(instance)
        assert instance.status == "stopped"
        age(instance, status_changed_at=AGO, upstream_changed_at=AGO)
        instance.refresh_from_db()
        novita.calls.clear()
        return instance

    def ask(self, verb: str, instance: Instance) -> Instance:
        """What a caller does over the API."""
        VERBS[verb](public_id=instance.public_id, cause=CALLER)
        instance.refresh_from_db()
        return instance

    def monitor(self, instance: Instance, *, times: int = 1) -> Instance:
        self.run("monitor_instance", times=times)
        instance.refresh_from_db()
        return instance

    def ended(self, instance: Instance) -> Instance:
        """Terminates until the absence of all that must end is proven, with the time they take."""
        for _ in range(4):
            self.run("terminate_instance")
            let_ten_seconds_pass()
        instance.refresh_from_db()
        return instance


@pytest.fixture
def service(project: Project) -> Service:
    return Service(project)


AGO = timedelta(hours=1)


def let_ten_seconds_pass() -> None:
    """Between the two reads that prove absence."""
    earlier = F("absence_seen_at") - timedelta(seconds=10)
    UpstreamEnding.objects.exclude(absence_seen_at=None).update(absence_seen_at=earlier)


def age(instance: Instance, **fields: timedelta) -> None:
    """Move moments of an instance into the past."""
    Instance.objects.filter(pk=instance.pk).update(
        **{name: F(name) - span for name, span in fields.items()}
    )


def events(instance: Instance) -> list[str]:
    return list(instance.events.values_list("type", flat=True))
