"""Log-ins of operators are limited before anything is hashed, and each leaves a line."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from typing import Any, ClassVar

import pytest
import structlog
import time_machine
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.core.management import call_command
from django.db import connection
from django.test import Client

from accounts.console import logins
from tests.conftest import client_of

LOGIN = "/admin/login/"
RIGHT = "the right one"
LIMIT = 10
Lines = list[Any]


class Counted(PBKDF2PasswordHasher):
    """Counts what it hashes; it may stop midway."""

    algorithm = "counted"
    iterations = 1
    hashed: ClassVar[list[str]] = []
    begun: ClassVar[threading.Semaphore] = threading.Semaphore(0)
    go_on: ClassVar[threading.Event] = threading.Event()

    def encode(self, password: str, salt: Any, iterations: int | None = None) -> str:
        Counted.hashed.append(password)
        Counted.begun.release()
        assert Counted.go_on.wait(20)
        return super().encode(password, salt, iterations)


@pytest.fixture(autouse=True)
def counted(settings: Any) -> Iterator[list[str]]:
    settings.PASSWORD_HASHERS = ["tests.accounts.console.test_logins.Counted"]
    Counted.go_on.set()
    Counted.hashed.clear()
    Counted.begun = threading.Semaphore(0)
    yield Counted.hashed
    Counted.go_on.set()


@pytest.fixture
def ada(db: None) -> User:
    return User.objects.create_superuser("ada", password=RIGHT)


def sign_in(password: str = "wrong", user: str = "ada", address: str = "198.51.100.1") -> Any:
    client = Client(REMOTE_ADDR=address)
    return client.post(LOGIN, {"username": user, "password": password})


def in_a_thread() -> None:
    sign_in()
    connection.close()


def is_in(response: Any) -> bool:
    return response.status_code == 302 and "sessionid" in response.cookies


@pytest.mark.usefixtures("ada")
def test_the_right_password_is_refused_unhashed_while_the_user_is_locked(
    counted: list[str],
) -> None:
    for number in range(LIMIT):
        sign_in(address=f"198.51.100.{number}")
    counted.clear()
    refused = sign_in(RIGHT, address="203.0.113.1")
    assert (refused.status_code, counted) == (429, [])
    assert not Session.objects.exists()
    assert "locked" in refused.content.decode()
    assert 0 < int(refused["Retry-After"]) <= 900


@pytest.mark.usefixtures("ada")
def test_an_address_that_tries_many_users_is_locked_for_all_of_them(counted: list[str]) -> None:
    for number in range(LIMIT):
        sign_in(user=f"user{number}")
    counted.clear()
    assert sign_in(RIGHT).status_code == 429
    assert counted == []
    assert is_in(sign_in(RIGHT, address="203.0.113.1"))


@pytest.mark.usefixtures("ada")
def test_neither_other_browsers_nor_other_addresses_of_a_subscriber_count_anew(
    counted: list[str],
) -> None:
    for number in range(LIMIT):
        client = Client(REMOTE_ADDR=f"2001:db8:1:2::{number}", HTTP_USER_AGENT=f"browser {number}")
        client.post(LOGIN, {"username": f"user{number}", "password": "wrong"})
    counted.clear()
    assert sign_in(RIGHT, address="2001:db8:1:2:ffff::1").status_code == 429
    assert counted == []


@pytest.mark.usefixtures("ada")
def test_behind_a_proxy_the_client_is_locked_and_not_the_proxy() -> None:
    for _ in range(LIMIT):
        Client(REMOTE_ADDR="127.0.0.1", HTTP_X_FORWARDED_FOR="9.9.9.9, 198.51.100.1").post(
            LOGIN, {"username": "nobody", "password": "wrong"}
        )
    assert sign_in(RIGHT).status_code == 429
    assert is_in(sign_in(RIGHT, address="127.0.0.1"))


@pytest.mark.usefixtures("ada")
def test_a_lock_ends_by_itself_and_cannot_be_prolonged_by_trying() -> None:
    with time_machine.travel("2026-11-30T10:00:00Z", tick=False) as clock:
        for _ in range(LIMIT):
            sign_in()
        clock.shift(890)
        assert sign_in().status_code == 429
        clock.shift(20)
        assert is_in(sign_in(RIGHT))


@pytest.mark.usefixtures("ada")
@pytest.mark.parametrize("arguments", [["--user", "ada"], ["--address", "198.51.100.1"], ["--all"]])
def test_an_operator_unlocks_by_command(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(LIMIT):
        sign_in()
    call_command("unlock_admin")
    assert "10 wrong passwords: user ada, address 198.51.100.1" in capsys.readouterr().out
    call_command("unlock_admin", *arguments)
    assert is_in(sign_in(RIGHT))


@pytest.mark.usefixtures("ada")
def test_an_unknown_user_costs_what_a_known_one_costs(counted: list[str]) -> None:
    counted.clear()
    sign_in(user="ada")
    known = len(counted)
    counted.clear()
    sign_in(user="nobody at all")
    assert len(counted) == known


@pytest.mark.usefixtures("ada")
def test_a_good_log_in_does_not_set_the_count_back() -> None:
    User.objects.create_superuser("eve", password=RIGHT)
    for _ in range(LIMIT - 1):
        sign_in()
    assert is_in(sign_in(RIGHT, user="eve", address="203.0.113.1"))
    sign_in(address="203.0.113.1")
    assert sign_in(RIGHT, address="203.0.113.2").status_code == 429


@pytest.mark.django_db(transaction=True)
def test_no_thread_waits_for_a_place_to_hash(counted: list[str]) -> None:
    User.objects.create_superuser("ada", password=RIGHT)
    counted.clear()
    Counted.begun = threading.Semaphore(0)
    Counted.go_on.clear()
    threads = [threading.Thread(target=in_a_thread) for _ in range(logins.PLACES)]
    for thread in threads:
        thread.start()
    for _ in threads:
        assert Counted.begun.acquire(timeout=20)
    refused = sign_in(RIGHT)
    assert (refused.status_code, len(counted)) == (503, logins.PLACES)
    assert int(refused["Retry-After"]) >= 1
    Counted.go_on.set()
    for thread in threads:
        thread.join(20)
    assert logins.PLACES <= 2
    assert is_in(sign_in(RIGHT))


def _metric(outcome: str) -> float:
    return logins._LOG_INS.labels(outcome)._value.get()


@pytest.mark.usefixtures("ada")
@pytest.mark.parametrize(
    ("before", "password", "outcome"),
    [(0, RIGHT, "accepted"), (0, "wrong", "wrong"), (LIMIT, RIGHT, "locked")],
)
def test_every_log_in_leaves_a_line_and_is_counted(
    before: int, password: str, outcome: str
) -> None:
    for _ in range(before):
        sign_in()
    counted_before = _metric(outcome)
    with structlog.testing.capture_logs() as lines:
        sign_in(password)
    (line,) = [line for line in lines if line["event"] == "admin_log_in"]
    assert (line["outcome"], line["user"], line["address"]) == (outcome, "ada", "198.51.100.1")
    assert _metric(outcome) == counted_before + 1
    assert not any(word in str(lines) for word in (password,) if word != outcome)


def test_the_figures_are_shown_to_a_scraper(api: Client) -> None:
    text = api.get("/api/metrics").content.decode()
    assert 'novitai_admin_log_ins_total{outcome="locked"}' in text


@pytest.mark.usefixtures("ada")
def test_a_password_typed_into_the_wrong_box_is_kept_nowhere() -> None:
    from axes.models import AccessAttempt

    with structlog.testing.capture_logs() as lines:
        sign_in("", user="hunter2-hunter2")
        sign_in("more-secret", user="hunter2-hunter2")
    assert AccessAttempt.objects.exists()
    assert not re.search("hunter2|more-secret", str(list(AccessAttempt.objects.values())))
    assert not re.search("hunter2|more-secret", str(lines))


@pytest.mark.parametrize("user", ["a\0b", "x" * 10_000, "ädä ☃", "\ud800", " ", "'; DROP"])
@pytest.mark.usefixtures("ada")
def test_no_name_breaks_the_door(user: str) -> None:
    data = {"username": user.encode("utf-8", "replace").decode(), "password": "p\0q"}
    assert Client(raise_request_exception=False).post(LOGIN, data).status_code == 200


@pytest.mark.usefixtures("ada")
def test_a_session_ends_within_hours_and_its_cookie_is_not_for_scripts() -> None:
    cookie = sign_in(RIGHT).cookies["sessionid"]
    assert cookie["max-age"] <= 12 * 3600
    assert cookie["httponly"]
    assert cookie["samesite"] in ("Lax", "Strict")


@pytest.mark.parametrize(
    ("knobs", "status"),
    [
        ({}, 200),
        ({"admin_enabled": False}, 404),
        ({"admin_hosts": ("ops.example",)}, 404),
        ({"admin_hosts": ("testserver",)}, 200),
        ({"admin_hosts": ("TESTSERVER",)}, 200),
        ({"admin_hosts": (".example",)}, 404),
        ({"admin_networks": ("10.0.0.0/8",)}, 404),
        ({"admin_networks": ("192.0.2.0/24", "198.51.100.0/24")}, 200),
    ],
)
@pytest.mark.django_db
def test_the_admin_is_there_for_whom_it_is_meant(
    settings: Any, knobs: dict[str, Any], status: int, api_key: str
) -> None:
    from ipaddress import ip_network

    if "admin_networks" in knobs:
        knobs = {"admin_networks": tuple(map(ip_network, knobs["admin_networks"]))}
    settings.CONFIG = settings.CONFIG.model_copy(update=knobs)
    client = Client(REMOTE_ADDR="198.51.100.1")
    assert client.get(LOGIN).status_code == status
    if status == 404:
        assert client.get("/admin").status_code == 404
        assert 'type="password"' not in client.get(LOGIN).content.decode()
    assert client_of(api_key).get("/api/instances").status_code == 200
