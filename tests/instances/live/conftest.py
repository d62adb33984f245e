"""Waiting needs rows that others can see, so each test commits; the loop ends with it."""

from collections.abc import Iterator

import pytest
from django.db import transaction

from accounts.models import Project
from instances.choices import InstanceStatus
from instances.database_clock import database_now
from instances.live import process
from instances.models import Instance
from instances.services import create_instance
from instances.transitions import change_status
from instances.types import Cause, Wish


@pytest.fixture(autouse=True)
def nobody_waits_afterwards(transactional_db: None) -> Iterator[None]:
    yield
    process.close()


@pytest.fixture
def instance(transactional_db: None, project: Project) -> Instance:
    return make(project)


def make(project: Project) -> Instance:
    wish = Wish("one", "RTX 4090", "tpl", "CN-HK-01")
    return create_instance(project=project, wish=wish, cause=Cause("tests")).instance


def move(instance: Instance, *statuses: str) -> None:
    """Along the arrows, each in a transaction of its own."""
    for status in statuses:
        with transaction.atomic():
            row = Instance.objects.select_for_update().get(pk=instance.pk)
            if status == "starting":
                row.upstream_id = f"up-{row.pk}"
            change_status(row, InstanceStatus(status), cause=Cause("tests"), now=database_now())
