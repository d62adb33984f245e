"""Answers that come late, on purpose or by a slow statement, and who does not wait for them."""

from __future__ import annotations

import re
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import requests
from django.db import connection, transaction

from accounts.models import Project
from accounts.services import create_api_key
from tests.devtools.launcher.launcher_process import eventually
from tests.support.web_server import served, url_of_this_database

LOOPS = 12


def wrong_log_in(url: str) -> tuple[int, float]:
    with requests.Session() as session:
        page = session.get(f"{url}/admin/login/", timeout=30).text
        found = re.search('csrfmiddlewaretoken" value="([^"]+)', page)
        assert found
        data = {"csrfmiddlewaretoken": found[1], "username": "nobody", "password": "wrong"}
        began = time.monotonic()
        answer = session.post(f"{url}/admin/login/", data, timeout=30)
        return answer.status_code, time.monotonic() - began


@pytest.mark.django_db(transaction=True)
def test_wrong_passwords_wait_and_the_api_does_not(tmp_path: Path) -> None:
    """More of them than there are threads; all of them are answered after four seconds."""
    key = create_api_key(project=Project.objects.create(name="a"), name="k")
    knobs = {"WEB_WORKERS": "1", "WEB_THREADS": "2", "ADMIN_LOGIN_FAILURES": "1"}
    database = url_of_this_database()
    with served(tmp_path, database, **knobs) as url, ThreadPoolExecutor(LOOPS) as pool:
        assert wrong_log_in(url)[0] == 429
        began = time.monotonic()
        refused = [pool.submit(wrong_log_in, url) for _ in range(LOOPS)]
        answered = [
            requests.get(
                f"{url}/api/instances", headers={"Authorization": f"Bearer {key}"}, timeout=30
            ).status_code
            for _ in range(5)
        ]
        assert answered == [200] * 5
        assert {future.result()[0] for future in refused} <= {429, 503}
        assert all(future.result()[1] >= 3.9 for future in refused)
        # Two threads that waited would have taken twenty-four seconds for them.
        assert time.monotonic() - began < 16


@pytest.mark.django_db(transaction=True)
def test_slow_statements_hold_all_threads_and_neither_probes_nor_a_stop_mind(
    tmp_path: Path,
) -> None:
    """Probes are answered meanwhile; whoever was asked before SIGTERM gets an answer after it."""
    key = create_api_key(project=Project.objects.create(name="a"), name="k")
    knobs = {"WEB_WORKERS": "1", "WEB_THREADS": "2"}
    with ExitStack() as running, ThreadPoolExecutor(4) as pool:
        url = running.enter_context(served(tmp_path, url_of_this_database(), **knobs))
        assert requests.get(f"{url}/livez", timeout=30).ok
        headers = {"Authorization": f"Bearer {key}"}
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("LOCK TABLE instances_instance IN ACCESS EXCLUSIVE MODE")
            slow = [
                pool.submit(requests.get, f"{url}/api/instances", headers=headers, timeout=60)
                for _ in range(3)
            ]
            assert eventually(lambda: _waiting_for_locks(cursor) == 2)
            assert requests.get(f"{url}/livez", timeout=30).ok
            assert requests.get(f"{url}/health", timeout=30).status_code in (200, 503)
            stop = pool.submit(running.close)
            assert eventually(lambda: "Received SIGTERM" in (tmp_path / "web.log").read_text())
        assert [each.result().status_code for each in slow] == [200] * 3
        stop.result()


def _waiting_for_locks(cursor: Any) -> int:
    cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted AND relation IS NOT NULL")
    return int(cursor.fetchone()[0])
