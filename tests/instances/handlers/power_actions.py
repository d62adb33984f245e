"""Steps of a start, a stop or a restart, driven by hand."""

from __future__ import annotations

import pytest

from instances.models import Instance
from jobs.models import Job
from tests.instances.handlers.conftest import Service
from tests.support.fakes import FakeNovita
from upstream.errors import AuthenticationFailed, InsufficientResource, NovitaTimeout

LOST = NovitaTimeout("no answer", is_outcome_unknown=True)
SOLD_OUT = InsufficientResource("400 INSUFFICIENT_RESOURCE", status=400)
REFUSED_KEY = AuthenticationFailed("401", status=401)
VIA = {"start": "starting", "stop": "stopping", "restart": "starting"}


def act(service: Service, verb: str, instance: Instance, *, times: int = 1) -> Instance:
    service.run(f"{verb}_instance", times=times)
    instance.refresh_from_db()
    return instance


def job(verb: str) -> Job:
    return Job.objects.get(type=f"{verb}_instance")


def ready_for(service: Service, novita: FakeNovita, verb: str) -> Instance:
    """An instance of which the verb was just asked."""
    instance = service.stopped(novita) if verb == "start" else service.running(novita)
    return service.ask(verb, instance)


each_verb = pytest.mark.parametrize("verb", ["start", "stop", "restart"])
