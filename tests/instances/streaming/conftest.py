"""Waiting needs rows that others can see, so each test commits; the loop ends with it."""

import threading
from collections.abc import Iterator
from functools import partial

import pytest
from django.db import transaction

from accounts.models import Project
from core.clock import database_now
from instances.domain.enums import InstanceStatus
from instances.domain.types import Cause, InstanceRequest
from instances.lifecycle.transitions import change_status
from instances.models import Instance, InstanceEvent
from instances.services import create_instance
from instances.streaming import process_hub
from instances.streaming.hub import Hub
from instances.streaming.queries import newest_final


@pytest.fixture(autouse=True)
def nobody_waits_afterwards(transactional_db: None) -> Iterator[None]:
    yield
    process_hub.close()


@pytest.fixture
def quick_key_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hub of this process that looks for dead keys all the time."""
    monkeypatch.setattr(process_hub, "Hub", partial(Hub, keys_seconds=0.02))


@pytest.fixture
def instance(transactional_db: None, project: Project) -> Instance:
    made = make(project)
    until_final(project)
    return made


def until_final(project: Project) -> None:
    """Other tests' transactions on this server hold back what a new stream takes for past."""
    poll = threading.Event()
    last = InstanceEvent.objects.filter(project=project).order_by("pk").last()
    assert last is not None
    while (newest := newest_final(project.pk)) is None or newest[0] != last.public_id:
        poll.wait(0.01)


def make(project: Project) -> Instance:
    spec = InstanceRequest("one", "RTX 4090", "tpl", "CN-HK-01")
    return create_instance(project=project, spec=spec, cause=Cause("tests")).instance


def move(instance: Instance, *statuses: str) -> None:
    """Along the arrows, each in a transaction of its own."""
    for status in statuses:
        with transaction.atomic():
            row = Instance.objects.select_for_update().get(pk=instance.pk)
            if status == "starting":
                row.upstream_id = f"up-{row.pk}"
            change_status(row, InstanceStatus(status), cause=Cause("tests"), now=database_now())
