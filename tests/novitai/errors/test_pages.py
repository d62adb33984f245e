"""People get pages, programs get JSON: refusals and errors of the admin."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.test import Client

pytestmark = pytest.mark.django_db


@pytest.fixture
def staff(client: Client) -> Client:
    """May enter the admin, and see nothing there."""
    client.force_login(User.objects.create_user("staff", is_staff=True))
    return client


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("/admin/jobs/job/", 403, "You are not allowed to do this"),
        ("/admin/accounts/project/1/terminate-all/", 403, "You are not allowed to do this"),
        ("/admin/no/such/page/", 404, "This page does not exist"),
        ("/admin/jobs/job/1/retry/", 405, ""),
    ],
)
def test_a_refusal_in_the_admin_is_a_page_with_a_way_back(
    staff: Client, path: str, status: int, words: str
) -> None:
    answer = staff.get(path, headers={"X-Request-ID": "night-2"})
    assert answer.status_code == status
    assert not answer.headers["Content-Type"].startswith("application/json")
    assert words in answer.content.decode()
    if words:
        assert '<a href="/admin/">' in answer.content.decode()
        assert "night-2" in answer.content.decode()


def test_a_form_without_its_token_is_a_page(db: None) -> None:
    client = Client(enforce_csrf_checks=True)
    answer = client.post("/admin/login/", {"username": "a", "password": "b"})
    assert answer.status_code == 403
    assert answer.headers["Content-Type"].startswith("text/html")


def test_a_page_that_fails_says_so_and_shows_no_traceback(admin_user: User) -> None:
    client = Client(raise_request_exception=False)
    client.force_login(admin_user)
    answer = client.get("/admin/jobs/job/?status__exact=a&status__exact__exact=%00&o=99.1")
    assert answer.status_code < 500
    answer = client.get("/admin/accounts/auditentry/abc%00/history/")
    assert answer.status_code in (302, 404)
    assert "Traceback" not in answer.content.decode()


@pytest.mark.parametrize("host", ["wrong.example", "<script>"])
def test_a_host_that_is_not_ours_gets_a_page_without_its_words(
    client: Client, settings: pytest.FixtureRequest, host: str
) -> None:
    settings.ALLOWED_HOSTS = ["right.example"]  # type: ignore[attr-defined]
    answer = client.get("/admin/login/", headers={"host": host})
    assert answer.status_code == 400
    assert "The Host header is not a host name of this service" in answer.content.decode()
    assert host not in answer.content.decode()


def test_the_api_goes_on_answering_json(client: Client) -> None:
    answer = client.get("/api/jobs", headers={"Accept": "text/html"})
    assert answer.json()["error"]["code"] == "NOT_ACCEPTABLE"
    assert client.get("/administration").headers["Content-Type"] == "application/json"
