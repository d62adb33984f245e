"""Steps of a creation, driven by hand."""

from __future__ import annotations

from datetime import timedelta

from instances.handlers.create import CreateInstance
from instances.models import Instance
from jobs.handler import WorkItem
from jobs.models import Job
from tests.instances.handlers.conftest import Service
from tests.support.fakes import TIMED_OUT, FakeNovita
from upstream.errors import InsufficientResource

PAST_SETTLE_TIME = timedelta(minutes=5)
SOLD_OUT = InsufficientResource("400 INSUFFICIENT_RESOURCE", status=400)


def create(service: Service, instance: Instance, *, times: int = 1) -> Instance:
    service.run("create_instance", times=times)
    instance.refresh_from_db()
    return instance


def job() -> Job:
    return Job.objects.get(type="create_instance")


def lost(service: Service, novita: FakeNovita, *, acts: bool) -> Instance:
    """An instance whose create got no answer."""
    novita.fail("create_instance", TIMED_OUT, acts=acts)
    instance = create(service, service.create(), times=2)
    assert (instance.status, instance.create_step) == ("creating", "look_up")
    return instance


def load(job: Job) -> list[object]:
    return [part for part in CreateInstance().load([job]) if isinstance(part, WorkItem)]
