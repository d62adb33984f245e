"""No endpoint, test message, redelivery or replay leads to an address inside."""

from __future__ import annotations

import pytest
from django.test import Client

from accounts.models import Project
from tests.conftest import Configure
from tests.instances.api.refusals import error_of
from tests.instances.handlers.conftest import Service
from tests.support.hostile_urls import HOSTILE_URLS
from tests.webhooks.conftest import Publish, make_endpoint, patch, post, run
from webhooks.models import Attempt, Delivery, Endpoint

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def no_private_network(configure: Configure) -> None:
    configure(webhook_allowed_networks=(), webhook_max_endpoints=500)


def test_a_hostile_url_is_refused_at_create_and_change(api: Client, project: Project) -> None:
    endpoint = make_endpoint(project)
    path = f"/api/webhooks/{endpoint.public_id}"
    for url in HOSTILE_URLS:
        for response in (post(api, "/api/webhooks", {"url": url}), patch(api, path, {"url": url})):
            error = error_of(response, 400)
            assert {each["field"] for each in error["validationErrors"]} == {"url"}, url
    assert Endpoint.objects.count() == 1
    assert api.get(path).json()["receiver"] == "https://hooks.example.com"


def test_what_came_into_the_database_in_another_way_is_not_connected_to(
    service: Service, publish: Publish, api: Client, project: Project
) -> None:
    """By test message, event, redelivery and replay."""
    for number, url in enumerate(url for url in HOSTILE_URLS if "\x00" not in url):
        endpoint = make_endpoint(project, subject="")
        endpoint.url = url
        endpoint.origin = f"http://{number}"
        endpoint.save()
    publish()
    for endpoint in Endpoint.objects.all():
        post(api, f"/api/webhooks/{endpoint.public_id}/test?timeout=0")
    run(service, times=8)
    for delivery in Delivery.objects.all():
        post(api, f"/api/deliveries/{delivery.public_id}/redeliver")
    since = {"since": "2020-01-01T00:00:00Z"}
    for endpoint in Endpoint.objects.all():
        post(api, f"/api/webhooks/{endpoint.public_id}/replay", since)
    service.run("replay_webhooks", times=8)
    run(service, times=16)
    assert set(Delivery.objects.values_list("status", flat=True)) == {"failed"}
    assert Attempt.objects.count() >= 4 * Endpoint.objects.count()
    assert set(Attempt.objects.values_list("address", flat=True)) == {""}
