"""Before the create: a readiness probe that could never pass costs nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from django.db.models import F

from instances.models import CachedTemplate
from tests.instances.handlers.conftest import Service
from tests.instances.handlers.creates import create
from tests.support.fakes import TEMPLATE, FakeNovita
from upstream.types import TemplatePort, Tool

pytestmark = pytest.mark.django_db


def probe(port: int) -> dict[str, object]:
    return {"type": "tcp", "port": port, "timeoutSeconds": 5}


def test_a_probe_of_a_port_that_nothing_publishes_fails_before_a_gpu_is_bought(
    service: Service, novita: FakeNovita
) -> None:
    instance = create(service, service.create(readiness_probe=probe(8888)), times=2)
    assert (instance.status, instance.error_code) == ("failed", "PROBE_PORT_NOT_PUBLISHED")
    assert instance.error_message == (
        "The readiness probe uses port 8888, but template tpl-1 publishes 80, so it could never "
        "pass."
    )
    assert (novita.created, instance.upstream_id) == ([], "")


def test_a_template_that_is_cached_without_the_port_is_read_anew_before_that_is_said(
    service: Service, novita: FakeNovita
) -> None:
    service.placed()
    novita.calls.clear()
    ports = (TemplatePort("http", 80), TemplatePort("tcp", 8888))
    novita.templates["tpl-1"] = replace(TEMPLATE, ports=ports)
    instance = create(service, service.create(readiness_probe=probe(8888)), times=2)
    assert (instance.status, novita.created[1].ports) == ("starting", "80/http,8888/tcp")
    assert novita.calls.count("get_template") == 1
    novita.templates["tpl-1"] = TEMPLATE
    other = create(service, service.create(readiness_probe=probe(9999)), times=2)
    assert other.error_code == "PROBE_PORT_NOT_PUBLISHED"


@pytest.mark.parametrize("port", [80, 6006, 22])
def test_ports_tools_and_ssh_can_be_probed(service: Service, novita: FakeNovita, port: int) -> None:
    novita.templates["tpl-1"] = replace(TEMPLATE, tools=(Tool("TensorBoard", 6006, "http"),))
    assert service.placed(readiness_probe=probe(port)).status == "starting"


def test_a_template_from_the_cache_does_not_grow_young_by_being_used(
    service: Service, novita: FakeNovita
) -> None:
    service.placed()
    CachedTemplate.objects.update(fetched_at=F("fetched_at") - timedelta(seconds=30))
    (before,) = CachedTemplate.objects.values_list("fetched_at", flat=True)
    create(service, service.create(product_name="H900"))
    assert CachedTemplate.objects.get().fetched_at == before
