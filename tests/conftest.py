"""The cast: a project with a key, and clients that speak for it."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.core.cache import caches
from django.db import connection
from django.db.backends.signals import connection_created
from django.test import Client
from pytest_django.plugin import DjangoDbBlocker

from accounts.models import Project
from accounts.rest import last_used, rate_limits
from accounts.scopes import Scope
from accounts.services import create_api_key
from core.prepared import keep_plans
from tests.support.stacks import made_database


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Spread the long tests over the first half: at the end no process waits for one of them."""
    long = [item for item in items if item.get_closest_marker("long")]
    if not long:
        return
    spread = [item for item in items if not item.get_closest_marker("long")]
    step = len(spread) // (2 * len(long)) + 1
    for number, item in enumerate(long):
        spread.insert(number * step, item)
    items[:] = spread


@pytest.fixture(autouse=True)
def nothing_is_slow_on_purpose(settings: Any) -> None:
    """Listing static files takes each new client a tenth of a second, a password's hash half."""
    settings.WHITENOISE_AUTOREFRESH = True
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture(autouse=True)
def nothing_is_remembered() -> None:
    """Rows come and go with each test; a process remembers them."""
    caches["local"].clear()
    last_used.forget()
    rate_limits.forget()


Configure = Callable[..., None]


@pytest.fixture
def configure(settings: Any) -> Configure:
    """Change fields of the configuration for one test."""

    def configure(**fields: Any) -> None:
        settings.CONFIG = settings.CONFIG.model_copy(update=fields)

    return configure


class MonotonicClock:
    """time.monotonic() as the test moves it.

    step: seconds that pass with each reading. meanwhile: what others do while this process sleeps.
    """

    def __init__(self) -> None:
        self.now = 1000.0
        self.step = 0.0
        self.meanwhile: Callable[[], object] = lambda: None

    def __call__(self) -> float:
        self.now += self.step
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.meanwhile()


@pytest.fixture
def monotonic(monkeypatch: pytest.MonkeyPatch) -> MonotonicClock:
    """A frozen clock of this process; sleeping moves it and takes no time."""
    clock = MonotonicClock()
    monkeypatch.setattr(time, "monotonic", clock)
    monkeypatch.setattr(time, "sleep", clock.sleep)
    return clock


@pytest.fixture
def kept_plans() -> Iterator[None]:
    """A connection as those of a web process."""
    connection.close()
    connection_created.connect(keep_plans)
    yield
    connection_created.disconnect(keep_plans)
    connection.close()


@pytest.fixture(scope="session")
def template_database(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """What stacks of real processes copy their databases from."""
    with django_db_blocker.unblock(), made_database():
        yield


@pytest.fixture
def project(db: None) -> Project:
    return Project.objects.create(name="alpha")


@pytest.fixture
def other_project(db: None) -> Project:
    return Project.objects.create(name="beta")


@pytest.fixture
def api_key(project: Project) -> str:
    return create_api_key(project=project, name="tests", scopes=Scope.values)


@pytest.fixture
def api(api_key: str) -> Client:
    """A client with a key; exceptions become answers, as they do in service."""
    return client_of(api_key)


@pytest.fixture
def anonymous() -> Client:
    return Client(raise_request_exception=False)


def client_of(api_key: str, **options: Any) -> Client:
    return Client(
        raise_request_exception=False, headers={"authorization": f"Bearer {api_key}"}, **options
    )
