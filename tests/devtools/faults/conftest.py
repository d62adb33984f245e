"""A database with a virtual clock, for runs of the whole service in this process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_django.plugin import DjangoDbBlocker

from devtools.faults.simulated import database


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The test database is made for those that ask for it by a mark; these copy it."""
    here = Path(__file__).parent
    mine = [item for item in items if here in item.path.parents]
    if mine:
        mine[0].add_marker(pytest.mark.django_db(transaction=True))


@pytest.fixture(scope="session")
def virtual_database(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[str]:
    with django_db_blocker.unblock(), database.copied() as name:
        yield name


@pytest.fixture
def virtual(virtual_database: str, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """Runs may be made: this process is connected to the database with the virtual clock."""
    with django_db_blocker.unblock(), database.using(virtual_database):
        yield
