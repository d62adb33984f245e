"""A receiver in memory, and messages about instances of the project."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.db import transaction
from django.test import Client

from accounts.models import Project
from core.inserts import insert
from jobs.queue import CHANNEL
from tests.instances.handlers.conftest import Service
from tests.instances.handlers.webhook_receiver import Receiver
from webhooks import outbox
from webhooks.handlers import letters
from webhooks.models import Delivery, Endpoint, Message
from webhooks.services import endpoints
from webhooks.services.endpoints import EndpointSpec

URL = "https://hooks.example.com/a?token=s3cr3t"
Publish = Callable[..., Message]
Post = Callable[..., Any]


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Receiver:
    receiver = Receiver()
    monkeypatch.setattr(letters, "deliver", receiver.deliver)
    return receiver


@pytest.fixture
def service(project: Project) -> Service:
    return Service(project)


@pytest.fixture
def endpoint(project: Project) -> Endpoint:
    return make_endpoint(project)


def make_endpoint(project: Project, url: str = URL, **fields: Any) -> Endpoint:
    return endpoints.create(project, EndpointSpec({"url": url, **fields}), actor="key:test")


@pytest.fixture
def publish(project: Project) -> Publish:
    """Writes a message as the owner of a subject does."""

    def publish(
        subject: str = "inst_1", type_: str = "instance.running", *, of: Project = project
    ) -> Message:
        body = {"type": type_, "timestamp": "2030-01-01T00:00:00.000Z", "data": {"id": subject}}
        with transaction.atomic():
            outgoing = outbox.compose(outbox.Draft(of, type_, subject, body))
            insert(*outgoing.rows, wake=CHANNEL)
            outgoing.enqueue()
        return outgoing.message

    return publish


def run(service: Service, *, times: int = 1) -> None:
    """Run the lanes' jobs, as if their retries were due."""
    service.run("deliver_webhooks", times=times)


def statuses(endpoint: Endpoint) -> list[str]:
    rows = Delivery.objects.filter(endpoint=endpoint).order_by("message_id")
    return list(rows.values_list("status", flat=True))


def post(api: Client, path: str, body: Any = None, **headers: Any) -> Any:
    data = "" if body is None else json.dumps(body)
    return api.post(path, data, content_type="application/json", headers=headers or None)


def patch(api: Client, path: str, body: Any) -> Any:
    return api.patch(path, json.dumps(body), content_type="application/json")
