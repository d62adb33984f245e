"""A running service for each story that asks for one; most stories share one."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from pytest_django.plugin import DjangoDbBlocker

from devtools.faults.real.stack import Stack
from tests.support.stacks import copied_database

StackFactory = Callable[..., Stack]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The test database is made for those that ask for it by a mark. Stories copy it and ask for
    nothing, so run by themselves they would copy whatever the settings name.
    """
    here = Path(__file__).parent
    mine = [item for item in items if here in item.path.parents]
    if mine:
        mine[0].add_marker(pytest.mark.django_db(transaction=True))


@pytest.fixture(scope="session")
def shared_stack(
    template_database: None,
    django_db_blocker: DjangoDbBlocker,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Stack]:
    with django_db_blocker.unblock():
        stack = Stack(tmp_path_factory.mktemp("stack"), copied_database())
    with django_db_blocker.unblock(), stack:
        yield stack


@pytest.fixture
def stack(shared_stack: Stack) -> Iterator[Stack]:
    """The shared service, its world set right again after each story."""
    yield shared_stack
    shared_stack.simulator.control.clear_faults()
    shared_stack.simulator.control.clear_stock()
    shared_stack.receiver.control.forget_behaviours()


@pytest.fixture
def start_stack(
    template_database: None, django_db_blocker: DjangoDbBlocker, tmp_path: Path
) -> Iterator[StackFactory]:
    """Starts a service of the story's own, with its own settings."""
    with ExitStack() as running, django_db_blocker.unblock():

        def start(**environment: str) -> Stack:
            return running.enter_context(Stack(tmp_path, copied_database(), **environment))

        yield start
