"""Passwords are hashed as Django does, and behind all requests."""

from __future__ import annotations

import os
import sys
import threading
from typing import Any

import pytest
from django.contrib.auth.hashers import PBKDF2PasswordHasher, check_password, make_password

from accounts.console.hashers import LowPriorityHasher, at_low_priority

OURS = ["accounts.console.hashers.LowPriorityHasher"]
DJANGOS = ["django.contrib.auth.hashers.PBKDF2PasswordHasher"]


def test_the_hash_is_djangos() -> None:
    arguments = ("a password", "some-salt", 7)
    assert LowPriorityHasher().encode(*arguments) == PBKDF2PasswordHasher().encode(*arguments)


@pytest.mark.parametrize(("writer", "reader"), [(OURS, DJANGOS), (DJANGOS, OURS)])
def test_either_reads_what_the_other_wrote(
    settings: Any, monkeypatch: pytest.MonkeyPatch, writer: list[str], reader: list[str]
) -> None:
    monkeypatch.setattr(PBKDF2PasswordHasher, "iterations", 7)
    settings.PASSWORD_HASHERS = writer
    kept = make_password("right")
    settings.PASSWORD_HASHERS = reader
    assert check_password("right", kept)
    assert not check_password("wrong", kept)


@pytest.mark.skipif(sys.platform != "linux", reason="threads have no priority of their own")
def test_it_is_computed_behind_all_requests() -> None:
    def priority() -> int:
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    before = priority()
    assert at_low_priority(priority) == 19
    assert priority() == before
    assert at_low_priority(threading.get_ident) != threading.get_ident()


def test_what_goes_wrong_there_is_raised_here() -> None:
    with pytest.raises(ZeroDivisionError):
        at_low_priority(lambda: 1 // 0)
