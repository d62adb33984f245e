"""Who asks, and when."""

from __future__ import annotations

from datetime import timedelta

from accounts.models import Project
from accounts.rest.authentication import Caller
from accounts.services import create_api_key, find_api_key
from core.clock import database_now
from tests.conftest import MonotonicClock


def test_a_caller_tells_the_databases_time_also_after_a_body_that_took_long(
    project: Project, monotonic: MonotonicClock
) -> None:
    before = database_now()
    api_key = find_api_key(create_api_key(project=project, name="k"))
    assert api_key is not None
    caller = Caller(api_key, found=monotonic.now)
    found = caller.database_now()
    assert before < found < database_now()
    monotonic.now += 12.5
    assert caller.database_now() - found == timedelta(seconds=12.5)
