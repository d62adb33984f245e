"""Idempotency-Key: sent again, answered again, done once."""

from __future__ import annotations

import json
import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.db.models import F
from django.test import Client

from accounts.models import IdempotentAnswer, Project
from accounts.rest import idempotency
from accounts.services import create_api_key
from instances.models import Instance
from jobs.models import Job
from tests.conftest import client_of

BODY = {
    "name": "one", "productName": "RTX 4090", "templateId": "tpl-1", "region": "US-WEST-01",
}  # fmt: skip


def post(api: Client, key: str | None = "k-1", path: str = "/api/instances", **changes: Any) -> Any:
    headers = {} if key is None else {"idempotency-key": key}
    body = json.dumps(BODY | changes) if path == "/api/instances" else ""
    return api.post(path, body, content_type="application/json", headers=headers)


@pytest.mark.django_db
def test_the_same_request_is_answered_again_and_done_once(api: Client) -> None:
    first, second = post(api), post(api)
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.content == second.content
    assert first["Location"] == second["Location"]
    assert "Idempotent-Replayed" not in first
    assert second["Idempotent-Replayed"] == "true"
    assert (Instance.objects.count(), Job.objects.count()) == (1, 1)


@pytest.mark.django_db
def test_the_order_of_fields_makes_no_other_request(api: Client) -> None:
    post(api)
    turned = json.dumps(dict(reversed(BODY.items())))
    again = api.post(
        "/api/instances", turned, content_type="application/json",
        headers={"idempotency-key": "k-1"},
    )  # fmt: skip
    assert again["Idempotent-Replayed"] == "true"


@pytest.mark.django_db
@pytest.mark.parametrize("changes", [{"name": "two"}, {"gpuNum": 2}])
def test_another_request_under_the_same_key_is_refused(
    api: Client, changes: dict[str, Any]
) -> None:
    post(api)
    refused = post(api, **changes)
    assert refused.status_code == 422
    assert refused.json()["error"]["code"] == "IDEMPOTENCY_KEY_REUSED"
    assert Instance.objects.count() == 1


@pytest.mark.django_db
def test_the_same_key_at_another_path_is_another_request(api: Client) -> None:
    public_id = post(api).json()["instanceId"]
    assert post(api, path=f"/api/instances/{public_id}/stop").status_code == 422


@pytest.mark.django_db
def test_only_what_succeeded_is_kept(api: Client) -> None:
    assert post(api, gpuNum=99).status_code == 400
    assert IdempotentAnswer.objects.count() == 0
    assert post(api).status_code == 201


@pytest.mark.django_db
def test_a_conflict_is_not_kept_either(api: Client, project: Project) -> None:
    public_id = post(api, key=None).json()["instanceId"]
    path = f"/api/instances/{public_id}/stop"
    assert post(api, path=path).status_code == 409
    Instance.objects.update(status="running", upstream_id="up-1")
    assert post(api, path=path).status_code == 202
    assert post(api, path=path)["Idempotent-Replayed"] == "true"


@pytest.mark.django_db
def test_each_project_has_its_own_keys(api: Client, other_project: Project) -> None:
    other = client_of(create_api_key(project=other_project, name="tests"))
    post(api)
    assert "Idempotent-Replayed" not in post(other)
    assert Instance.objects.count() == 2


@pytest.mark.django_db
@pytest.mark.parametrize("key", ["", "with space", "k" * 256, "ümlaut", "tab\t", '""', '"k'])
def test_a_key_that_is_none_is_refused(api: Client, key: str) -> None:
    refused = post(api, key=key)
    assert refused.status_code == 400
    (entry,) = refused.json()["error"]["validationErrors"]
    assert entry["field"] == "Idempotency-Key"
    assert Instance.objects.count() == 0


@pytest.mark.django_db
@pytest.mark.parametrize(("first", "then"), [("k-1", '"k-1"'), ('"k-1"', "k-1"), ('"k"', '"k"')])
def test_a_key_in_quotes_is_the_same_key(api: Client, first: str, then: str) -> None:
    made, again = post(api, key=first), post(api, key=then)
    assert (made.status_code, again.content) == (201, made.content)
    assert again["Idempotent-Replayed"] == "true"
    assert post(api, key=then, name="two").status_code == 422
    assert Instance.objects.count() == 1


@pytest.mark.django_db
@pytest.mark.parametrize("stored", ["k-1", '"k-1"'])
@pytest.mark.parametrize("sent", ["k-1", '"k-1"'])
def test_a_key_that_release_0_5_stored_still_counts(api: Client, stored: str, sent: str) -> None:
    """It kept the header as it was sent."""
    made = post(api, key="k-1")
    IdempotentAnswer.objects.update(key=stored)
    again = post(api, key=sent)
    assert (again.content, again["Idempotent-Replayed"]) == (made.content, "true")
    assert post(api, key=sent, name="two").status_code == 422
    assert Instance.objects.count() == 1


@pytest.mark.django_db
@pytest.mark.parametrize("joined", ["k-1,k-1", "k-1, k-1", "k-1,k-2", '"k-1","k-1"', '"k-1", k-1'])
def test_a_key_that_was_sent_twice_is_refused(api: Client, joined: str) -> None:
    """Else the plain retry, under another key, would make a second instance."""
    refused = post(api, key=joined)
    assert refused.status_code == 400
    assert refused.json()["error"]["validationErrors"][0]["field"] == "Idempotency-Key"
    assert (post(api, key="k-1").status_code, Instance.objects.count()) == (201, 1)


@pytest.mark.django_db
def test_what_changes_nothing_claims_no_key(project: Project) -> None:
    """Else a key that may only read could block those of keys that may write."""
    reader = client_of(create_api_key(project=project, name="r", scopes=["read"]))
    writer = client_of(create_api_key(project=project, name="w", scopes=["write"]))
    for _ in range(2):
        plan = reader.post(
            "/api/instances/plan", BODY, "application/json", headers={"idempotency-key": "k-1"}
        )
        assert plan.status_code == 200
        assert "Idempotent-Replayed" not in plan
    assert post(reader, path="/api/instances").status_code == 403
    assert IdempotentAnswer.objects.count() == 0
    assert post(writer).status_code == 201


@pytest.mark.django_db
def test_a_key_of_the_project_counts_under_another_api_key(project: Project) -> None:
    """A retry after the API key was rotated is still the same request."""
    before, after = (client_of(create_api_key(project=project, name=name)) for name in "ab")
    assert post(before).content == post(after).content
    assert Instance.objects.count() == 1


@pytest.mark.django_db
def test_answers_are_forgotten_after_a_day(api: Client) -> None:
    post(api)
    assert idempotency.forget_old() == 0
    IdempotentAnswer.objects.update(created_at=F("created_at") - timedelta(hours=25))
    assert idempotency.forget_old() == 1
    assert "Idempotent-Replayed" not in post(api)


@pytest.mark.django_db(transaction=True)
def test_twenty_at_once_make_one(project: Project) -> None:
    key = create_api_key(project=project, name="tests")
    barrier = threading.Barrier(20)
    answers: list[tuple[int, bytes]] = []

    def send() -> None:
        barrier.wait()
        answer = post(client_of(key))
        answers.append((answer.status_code, answer.content))
        connection.close()

    threads = [threading.Thread(target=send) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(answers)) == 1
    assert answers[0][0] == 201
    assert Instance.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_one_that_takes_too_long_is_not_waited_for(project: Project) -> None:
    api = client_of(create_api_key(project=project, name="tests"))
    claimed, may_end = threading.Event(), threading.Event()

    def hold() -> None:
        with transaction.atomic():
            IdempotentAnswer.objects.create(project=project, key="k-1", fingerprint="x")
            claimed.set()
            may_end.wait(10)
            transaction.set_rollback(True)
        connection.close()

    holder = threading.Thread(target=hold)
    holder.start()
    claimed.wait(10)
    with connection.execute_wrapper(in_a_hurry):
        refused = post(api)
    may_end.set()
    holder.join()
    assert refused.status_code == 409
    assert refused.json()["error"]["code"] == "IDEMPOTENCY_KEY_IN_USE"
    assert refused["Retry-After"] == "1"
    assert post(api).status_code == 201


def in_a_hurry(execute: Any, sql: str, *rest: Any) -> Any:
    """Waits 50 ms where two seconds are allowed."""
    return execute(sql.replace("lock_timeout = '2s'", "lock_timeout = '50ms'"), *rest)
