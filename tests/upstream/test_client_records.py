"""Each call on the record with its outcome, and the budget of calls."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from tests.upstream.sent_requests import BASE, KEY
from upstream import errors as e
from upstream.call_records import CallBudget, CallOutcome
from upstream.client import NovitaClient


@pytest.mark.parametrize(
    ("answer", "outcome", "is_outage"),
    [
        ({"status": 429, "headers": {"Retry-After": "7"}}, CallOutcome.RATE_LIMITED, False),
        ({"status": 401, "json": {"code": 401, "reason": "X"}}, CallOutcome.KEY_REFUSED, False),
        ({"status": 400, "json": {"code": 400, "reason": "X"}}, CallOutcome.CLIENT_ERROR, False),
        ({"status": 500, "json": {"code": 500, "reason": "X"}}, CallOutcome.SERVER_ERROR, True),
        ({"status": 502, "body": "<html>"}, CallOutcome.EDGE_ANSWERED, True),
        ({"body": "<html>"}, CallOutcome.EDGE_ANSWERED, True),
        ({"json": {"data": "x"}}, CallOutcome.UNREADABLE, False),
        ({"status": 302, "headers": {"Location": "/x"}}, CallOutcome.EDGE_ANSWERED, True),
        ({"json": {"data": []}}, CallOutcome.OK, False),
    ],
)  # fmt: skip
def test_each_call_is_on_the_record_with_its_outcome(upstream, client, answer, outcome, is_outage):
    upstream.get(BASE + "/clusters", **answer)
    with suppress(e.NovitaError):
        client.list_clusters()
    (record,) = client.calls
    assert (record.endpoint, record.outcome) == ("list_clusters", outcome)
    assert record.counts_as_outage is is_outage
    assert record.status == answer.get("status", 200)
    assert record.seconds >= 0
    assert len(upstream.calls) == 1


def test_retry_after_travels_with_the_error_and_the_record(upstream, client):
    upstream.get(BASE + "/clusters", status=429, headers={"Retry-After": "7"})
    with pytest.raises(e.RateLimited) as caught:
        client.list_clusters()
    assert caught.value.retry_after == client.calls[0].retry_after == 7.0


def test_a_budget_is_taken_before_the_network(upstream):
    upstream.get(BASE + "/clusters", json={"data": []})
    budget = CallBudget(1)
    client = NovitaClient(BASE, KEY, budget=budget)
    client.list_clusters()
    with pytest.raises(e.CallBudgetExhausted) as caught:
        client.list_clusters()
    assert (budget.used, budget.remaining, len(upstream.calls)) == (1, 0, 1)
    assert caught.value.retryable
    assert not caught.value.counts_as_outage
    assert not caught.value.is_outcome_unknown
    assert len(client.calls) == 1


def test_a_budget_is_exact_under_threads():
    budget = CallBudget(500)

    def take(_: int) -> bool:
        try:
            budget.take()
        except e.CallBudgetExhausted:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(take, range(2000))) == budget.used == 500


def test_a_negative_budget_is_a_mistake():
    with pytest.raises(ValueError):
        CallBudget(-1)
