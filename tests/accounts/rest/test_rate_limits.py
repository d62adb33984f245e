"""Limits of requests: shared by all processes, told in every answer, never exceeded."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from accounts.models import ApiKey, Project, SpentRate
from accounts.rest import last_used, rate_limits
from accounts.services import create_api_key
from tests.conftest import client_of

MINUTE = 60 * 1_000_000


def limited(project: Project, rate_limit: int | None) -> Client:
    return client_of(create_api_key(project=project, name="k", rate_limit=rate_limit))


def let_pass(seconds: float) -> None:
    """As if that much time had gone by: for the database, and for what this process remembers."""
    row = SpentRate.objects.get()
    SpentRate.objects.update(full_at=row.full_at - int(seconds * 1_000_000))
    rate_limits.forget()


def test_more_than_a_minutes_requests_are_refused_and_told_when_to_come_back(
    project: Project,
) -> None:
    api = limited(project, 5)
    assert [api.get("/api/jobs").status_code for _ in range(6)] == [200] * 5 + [429]
    refused = api.get("/api/jobs")
    assert refused.json()["error"]["code"] == "RATE_LIMIT_EXCEEDED"
    assert 1 <= int(refused["Retry-After"]) <= 12
    message = refused.json()["error"]["message"]
    assert f"retry after {refused['Retry-After']} seconds" in message
    assert refused["RateLimit-Policy"] == '"key";q=5;w=60'
    assert refused["RateLimit"].startswith('"key";r=0;t=')


def test_the_allowance_comes_back_evenly(project: Project) -> None:
    api = limited(project, 5)
    assert [api.get("/api/jobs").status_code for _ in range(6)][-1] == 429
    let_pass(12)
    assert [api.get("/api/jobs").status_code for _ in range(2)] == [200, 429]
    let_pass(61)
    assert [api.get("/api/jobs").status_code for _ in range(6)] == [200] * 5 + [429]


def test_every_answer_tells_what_is_left_also_an_error(project: Project) -> None:
    api = limited(project, 5)
    assert api.get("/api/jobs")["RateLimit"].startswith('"key";r=4;t=')
    assert api.get("/api/jobs/job_none")["RateLimit"].startswith('"key";r=3;t=')
    assert api.put("/api/jobs")["RateLimit-Policy"] == '"key";q=5;w=60'
    lost = api.get("/api/nowhere")
    assert (lost.status_code, lost["RateLimit"][:9]) == (404, '"key";r=1')
    assert [api.get("/api/nowhere").status_code for _ in range(2)] == [404, 429]


def test_a_refused_request_does_nothing(project: Project) -> None:
    api = limited(project, 1)
    api.get("/api/jobs")
    body = {"name": "a", "productName": "RTX 4090", "templateId": "1"}
    assert api.post("/api/instances", body, "application/json").status_code == 429
    assert not project.instances.exists()


def test_keys_do_not_spend_each_others_allowance(project: Project) -> None:
    first, second = limited(project, 1), limited(project, 1)
    assert first.get("/api/jobs").status_code == 200
    assert first.get("/api/jobs").status_code == 429
    assert second.get("/api/jobs").status_code == 200


def test_zero_is_no_limit_and_says_nothing(project: Project) -> None:
    assert "RateLimit" not in limited(project, 0).get("/api/jobs")
    assert not SpentRate.objects.exists()


def test_without_a_word_it_is_the_services_limit(project: Project) -> None:
    answer = limited(project, None).get("/api/jobs")
    assert answer["RateLimit-Policy"] == '"key";q=6000;w=60'
    assert answer["RateLimit"].startswith('"key";r=5999;t=')


def test_what_needs_no_key_has_no_limit(anonymous: Client) -> None:
    assert "RateLimit" not in anonymous.get("/livez")


def test_a_process_borrows_many_at_once_and_asks_again_when_they_are_spent(
    project: Project, django_assert_num_queries: Any
) -> None:
    key = ApiKey.objects.create(project=project, name="k", digest="d")
    with django_assert_num_queries(2):
        verdicts = [rate_limits.spend(key.pk, 1000) for _ in range(20)]
    assert [verdict.remaining for verdict in verdicts[:3]] == [999, 998, 997]
    with django_assert_num_queries(1):
        rate_limits.spend(key.pk, 1000)


def test_what_was_borrowed_and_not_spent_is_lost_after_a_while(project: Project) -> None:
    now = [100.0]
    rate_limits.spend(1, 1000, clock=lambda: now[0])
    now[0] += 6
    SpentRate.objects.update(granted=0)
    rate_limits.spend(1, 1000, clock=lambda: now[0])
    assert SpentRate.objects.get().granted == 10


@pytest.mark.django_db(transaction=True)
def test_many_processes_together_grant_no_more_than_the_limit() -> None:
    """Each thread is a process here: it forgets what it holds before each request."""

    def ask(_: int) -> int:
        try:
            return rate_limits._ask(7, 5, MINUTE // 100)[0]
        finally:
            connection.close()

    started = time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        granted = sum(pool.map(ask, range(60)))
    # What the bucket held, and what flowed into it meanwhile.
    assert 100 <= granted <= 100 + 100 / 60 * (time.monotonic() - started) + 1


def test_a_limit_that_was_lowered_counts_at_once(project: Project) -> None:
    api = limited(project, 100)
    for _ in range(10):
        api.get("/api/jobs")
    ApiKey.objects.update(rate_limit=3)
    rate_limits.forget()
    answers = [api.get("/api/jobs").status_code for _ in range(4)]
    assert answers[-1] == 429


def test_rows_of_keys_that_rest_are_forgotten(project: Project) -> None:
    limited(project, 5).get("/api/jobs")
    assert rate_limits.forget_old() == 0
    SpentRate.objects.update(full_at=1)
    assert rate_limits.forget_old() == 1


def test_counting_survives_no_crash_of_the_database_and_so_costs_no_write_to_disk(
    project: Project,
) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT relpersistence FROM pg_class WHERE relname = 'accounts_spentrate'")
        assert cursor.fetchone() == ("u",)


def test_the_last_use_is_kept_to_the_minute(project: Project, api_key: str) -> None:
    client_of(api_key).get("/api/jobs")
    first = ApiKey.objects.get().last_used_at
    assert first is not None
    last_used.forget()
    client_of(api_key).get("/api/jobs")
    assert ApiKey.objects.get().last_used_at == first
