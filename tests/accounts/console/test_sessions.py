"""The table of sessions holds nothing that a cookie could."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.test import Client

from accounts.console.sessions import SessionStore

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada() -> Client:
    User.objects.create_superuser("ada", password="right")
    client = Client()
    client.post("/admin/login/", {"username": "ada", "password": "right"})
    assert client.get("/admin/").status_code == 200
    return client


def with_cookie(value: str) -> Client:
    client = Client()
    client.cookies["sessionid"] = value
    return client


def test_what_the_table_holds_signs_nobody_in(ada: Client) -> None:
    row = Session.objects.get()
    assert row.session_key != ada.cookies["sessionid"].value
    assert with_cookie(row.session_key).get("/admin/").status_code == 302
    assert with_cookie(ada.cookies["sessionid"].value).get("/admin/").status_code == 200


def test_signing_out_ends_the_session_for_every_copy_of_the_cookie(ada: Client) -> None:
    copy = with_cookie(ada.cookies["sessionid"].value)
    ada.post("/admin/logout/")
    assert not Session.objects.exists()
    assert copy.get("/admin/").status_code == 302


def test_signing_in_gives_a_new_key(ada: Client) -> None:
    before = ada.cookies["sessionid"].value
    ada.post("/admin/login/", {"username": "ada", "password": "right"})
    assert with_cookie(before).get("/admin/").status_code in (200, 302)
    assert Session.objects.count() == 1


def test_a_session_keeps_what_it_is_told() -> None:
    store = SessionStore()
    store["a"] = 1
    store.save()
    key = store.session_key
    assert key is not None
    again = SessionStore(key)
    assert again["a"] == 1
    again["a"] = 2
    again.save()
    assert SessionStore(key)["a"] == 2
    assert SessionStore().exists(key)
    again.cycle_key()
    assert not SessionStore().exists(key)
    again.flush()
    assert not Session.objects.exists()


@pytest.mark.parametrize("cookie", ["", "x", "\0", "a" * 5000, "ä"])
def test_a_cookie_that_is_none_signs_nobody_in(cookie: str) -> None:
    assert with_cookie(cookie).get("/admin/").status_code == 302
