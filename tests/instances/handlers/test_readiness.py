"""With a readiness probe, running waits for it; the deadline stays."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db.models import F
from django.test import Client

from instances.models import Instance, UpstreamGate
from instances.monitoring import readiness
from tests.instances.handlers.conftest import HOOK, Service, events
from tests.support.engine import database_time
from tests.support.fakes import FakeNovita
from tests.support.messages import told_of
from upstream.types import PortMapping

pytestmark = pytest.mark.django_db

PROBE = {"type": "tcp", "port": 22, "timeoutSeconds": 5}
PORTS = (PortMapping(22, "proxy.example:30022", "tcp"),)


class Probes:
    """What probes say, and what they asked."""

    def __init__(self) -> None:
        self.says = "port 22: connection refused"
        self.asked: list[Any] = []

    def check(self, probe: Any, addresses: Any, **_: Any) -> str:
        self.asked.append((probe, dict(addresses)))
        return self.says


@pytest.fixture
def probes(monkeypatch: pytest.MonkeyPatch) -> Probes:
    probes = Probes()
    monkeypatch.setattr(readiness, "check", probes.check)
    return probes


@pytest.fixture
def waiting(service: Service, novita: FakeNovita, probes: Probes) -> Instance:
    """Novita shows it running; its probe does not pass yet."""
    instance = service.placed(webhook_url=HOOK, readiness_probe=PROBE)
    novita.put(instance.upstream_id, status="running", port_mappings=PORTS)
    return service.monitor(instance, times=2)


def test_running_at_novita_is_not_running_before_the_probe_passes(
    service: Service, waiting: Instance, probes: Probes
) -> None:
    assert (waiting.status, waiting.upstream_status) == ("starting", "running")
    assert waiting.ready_at is None
    assert waiting.probe_error == "port 22: connection refused"
    assert probes.asked[-1] == (PROBE, {22: "proxy.example:30022"})
    assert "instance.running" not in events(waiting)
    probes.says = ""
    service.monitor(waiting)
    assert (waiting.status, waiting.probe_error) == ("running", "")
    assert waiting.ready_at is not None
    event = waiting.events.last()
    assert "probe passed" in event.cause
    assert told_of(event)


def test_who_waits_reads_what_the_probe_said_last(
    service: Service, waiting: Instance, probes: Probes, api: Client
) -> None:
    path = f"/api/instances/{waiting.public_id}"
    first = api.get(path)
    assert first.json()["readinessError"] == "port 22: connection refused"
    assert first.json()["readinessProbe"] == PROBE
    probes.says = "port 22: no address found for proxy.example"
    service.monitor(waiting)
    answer = api.get(path, headers={"if-none-match": first["ETag"]})
    assert (answer.status_code, answer.json()["readinessError"]) == (200, probes.says)
    probes.says = ""
    service.monitor(waiting)
    assert "readinessError" not in api.get(path).json()


def test_what_is_charged_meanwhile_counts_as_cost(waiting: Instance) -> None:
    assert waiting.billing_since is not None


def test_a_probe_that_never_passes_is_a_start_that_failed_and_says_why(
    service: Service, waiting: Instance
) -> None:
    Instance.objects.update(start_deadline_at=F("created_at") - timedelta(seconds=1))
    service.monitor(waiting)
    assert (waiting.status, waiting.error_code) == ("failed", "STARTUP_TIMEOUT")
    assert "port 22: connection refused" in waiting.error_message
    event = waiting.events.get(type="instance.failed")
    assert "port 22: connection refused" in event.cause
    assert event.data == {"code": "STARTUP_TIMEOUT", "message": waiting.error_message}
    (message,) = told_of(event)
    assert message["error"] == waiting.error_message
    assert message["data"]["readinessError"] == "port 22: connection refused"


def test_a_new_start_begins_without_the_error_of_an_earlier_one(
    service: Service, novita: FakeNovita, probes: Probes
) -> None:
    instance = service.stopped(novita)
    Instance.objects.update(probe_error="port 22: connection refused")
    assert service.ask("start", instance).probe_error == ""


def test_without_a_probe_nothing_is_asked(
    service: Service, novita: FakeNovita, probes: Probes
) -> None:
    service.running(novita)
    assert probes.asked == []


def test_ssh_is_probed_where_its_command_leads_if_no_port_says(
    service: Service, novita: FakeNovita, probes: Probes
) -> None:
    instance = service.placed(readiness_probe=PROBE)
    command = "ssh -p 30022 root@proxy.example"
    novita.put(instance.upstream_id, status="running", ssh_command=command)
    service.monitor(instance, times=2)
    assert probes.asked[-1] == (PROBE, {22: "ssh://root@proxy.example:30022"})
    UpstreamGate.objects.update(opened_until=database_time(timedelta(hours=1)))
    service.monitor(instance)
    assert probes.asked[-1] == (PROBE, {22: "ssh://root@proxy.example:30022"})


def test_what_is_not_running_at_novita_is_not_asked(
    service: Service, novita: FakeNovita, probes: Probes
) -> None:
    instance = service.placed(readiness_probe=PROBE)
    novita.put(instance.upstream_id, status="pulling")
    service.monitor(instance, times=2)
    assert probes.asked == []


def test_a_probe_goes_on_where_no_call_to_novita_is_left(
    service: Service, waiting: Instance, probes: Probes, novita: FakeNovita
) -> None:
    novita.calls.clear()
    UpstreamGate.objects.update(opened_until=database_time(timedelta(hours=1)))
    probes.says = ""
    service.monitor(waiting)
    assert waiting.status == "running"
    assert novita.calls == []


def test_a_start_after_a_stop_is_probed_again(
    service: Service, novita: FakeNovita, probes: Probes
) -> None:
    probes.says = ""
    instance = service.stopped(novita)
    Instance.objects.update(readiness_probe=PROBE)
    probes.says = "port 22: connection refused"
    service.ask("start", instance)
    service.run("start_instance")
    novita.put(instance.upstream_id, status="running", port_mappings=PORTS)
    service.monitor(instance, times=2)
    assert instance.status == "starting"
    probes.says = ""
    service.monitor(instance)
    assert instance.status == "running"
