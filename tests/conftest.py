"""The cast: a project with a key, and clients that speak for it."""

from typing import Any

import pytest
from django.test import Client

from accounts.models import Project
from accounts.services import create_api_key


@pytest.fixture(autouse=True)
def nothing_is_slow_on_purpose(settings: Any) -> None:
    """Listing static files takes each new client a tenth of a second, a password's hash half."""
    settings.WHITENOISE_AUTOREFRESH = True
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def project(db: None) -> Project:
    return Project.objects.create(name="alpha")


@pytest.fixture
def other_project(db: None) -> Project:
    return Project.objects.create(name="beta")


@pytest.fixture
def api_key(project: Project) -> str:
    return create_api_key(project=project, name="tests")


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
