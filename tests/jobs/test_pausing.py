"""Holding a job type back, and letting it go again."""

from __future__ import annotations

import psycopg
import pytest
from django.db import connection

from jobs import control, queue
from jobs.errors import UnknownJobType
from jobs.models import PausedType
from tests.jobs.conftest import Register
from tests.jobs.rows import started

pytestmark = pytest.mark.django_db


def test_a_type_is_paused_once_under_the_first_name(register: Register) -> None:
    register()
    control.pause("noop", actor="ada", reason="receiver is down")
    again = control.pause("noop", actor="bob")
    assert (again.paused_by, again.reason) == ("ada", "receiver is down")
    assert list(control.paused_types()) == ["noop"]


def test_an_unknown_type_is_neither_paused_nor_resumed(register: Register) -> None:
    register()
    with pytest.raises(UnknownJobType):
        control.pause("unheard", actor="ada")
    with pytest.raises(UnknownJobType):
        control.resume("unheard", actor="ada")
    assert control.paused_types() == {}


def test_resuming_what_is_not_paused_is_fine(register: Register) -> None:
    register()
    control.resume("noop", actor="ada")


def test_a_type_that_this_release_does_not_know_can_be_resumed(register: Register) -> None:
    PausedType.objects.create(type="gone", paused_by="ada")
    control.resume("gone", actor="ada")
    assert control.paused_types() == {}


def test_long_words_are_cut_to_what_the_row_holds(register: Register) -> None:
    register()
    paused = control.pause("noop", actor="a" * 500, reason="b" * 500)
    assert (len(paused.paused_by), len(paused.reason)) == (150, 200)


@pytest.mark.django_db(transaction=True)
def test_clusters_are_woken_when_a_type_is_resumed_or_a_slot_is_freed(register: Register) -> None:
    register()
    job = started()
    control.pause("noop", actor="ada")
    parameters = connection.get_connection_params()
    keys = ("host", "port", "user", "password", "dbname")
    options = {key: parameters[key] for key in keys if parameters.get(key)}
    with psycopg.connect(**options, autocommit=True) as listener:
        listener.execute(f"LISTEN {queue.CHANNEL}")
        control.resume("noop", actor="ada")
        assert list(listener.notifies(timeout=5, stop_after=1))
        control.cancel(job, actor="ada")
        assert list(listener.notifies(timeout=5, stop_after=1))
