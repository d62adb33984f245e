"""The table of odd answers: who spoke, what it means, and what follows from it.

A row is a call, a status, a body, and the three words that must come out.
"""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.upstream.answered_calls import CREATE, DELETE, GET, ID, KEY, LIST, TEMPLATE, VERB, answer
from tests.upstream.foreign_answers import EDGE_BODIES, EDGE_STATUSES, HIDDEN, SUCCESSES
from tests.upstream.own_answers import ANOTHER_THING, DONE, HOLD, OWN, UNKNOWN, own
from upstream import errors as e
from upstream.answers.consequences import CallKind, Follows, what_follows
from upstream.answers.speaker import listen
from upstream.answers.verdict import error_for


def check(rows_or_row, *expected):
    kind, status, body = rows_or_row
    assert answer(kind, status, body).told == expected


def test_the_table_holds_at_least_two_hundred_answers():
    edges = len(EDGE_BODIES) * len(EDGE_STATUSES)
    assert len(OWN) + len(ANOTHER_THING) + len(HIDDEN) + len(SUCCESSES) >= 200
    assert edges >= 500


@pytest.mark.parametrize(("kind", "status", "reason", "message", "name", "follows"), OWN)
def test_a_word_of_novita_is_understood(kind, status, reason, message, name, follows):
    check((kind, status, own(status, reason, message)), "novita", name, follows)


@pytest.mark.parametrize(("kind", "status", "reason", "message", "_", "follows"), ANOTHER_THING)
def test_another_thing_s_absence_is_never_the_instance_s(kind, status, reason, message, _, follows):
    ended = answer(kind, status, own(status, reason, message))
    assert not isinstance(ended.error, e.InstanceNotFound)
    assert str(ended.follows) == follows


@pytest.mark.parametrize("body", EDGE_BODIES.values(), ids=EDGE_BODIES)
def test_an_edge_proves_nothing_under_any_status_for_any_call(body):
    sent = body if isinstance(body, bytes) else body.encode() if isinstance(body, str) else None
    sent = json.dumps(body).encode() if sent is None else sent
    for status in EDGE_STATUSES:
        for kind in CallKind:
            error = error_for(status, sent, kind=kind)
            assert (type(error), error.source) == (e.EdgeAnswered, e.Source.EDGE), (status, kind)
            assert (error.counts_as_outage, error.refuses_the_id) == (True, False)
            assert what_follows(error, kind) is (
                Follows.HOLD if kind.is_read else Follows.OUTCOME_UNKNOWN
            )


@pytest.mark.parametrize("kind", CallKind)
def test_an_edge_s_answer_goes_all_the_way_through_the_client(kind):
    follows = HOLD if kind.is_read else UNKNOWN
    check((kind, 403, EDGE_BODIES["cloudflare"]), "edge", "EdgeAnswered", follows)
    check((kind, 404, EDGE_BODIES["kong"]), "edge", "EdgeAnswered", follows)


@pytest.mark.parametrize(
    ("kind", "status", "body", "name"),
    [
        (GET, 404, {"message": "instance not found"}, "InstanceNotFound"),
        (GET, 404, {"code": 404, "message": "instance not found"}, "InstanceNotFound"),
        (GET, 400, {"code": 400, "message": "not found"}, "InstanceNotFound"),
        (GET, 500, {"code": 500, "message": "record not found"}, "InstanceNotFound"),
        (GET, 404, {"code": "404", "reason": "INSTANCE_NOT_FOUND"}, "InstanceNotFound"),
        (GET, 404, {"code": 404, "reason": "RESOURCE_NOT_FOUND", "requestId": "1"},
         "InstanceNotFound"),
        (GET, 404, {"reason": "NOT_FOUND"}, "InstanceNotFound"),
        (CREATE, 400, {"message": "resource insufficient with product 4090"},
         "InsufficientResource"),
        (CREATE, 401, {"code": 401, "message": "Unauthorized"}, "AuthenticationFailed"),
        (CREATE, 401, {"message": "invalid api key"}, "AuthenticationFailed"),
        (VERB, 400, {"message": "invalid state change"}, "InvalidStateChange"),
        (TEMPLATE, 400, {"message": "template not found"}, "TemplateNotFound"),
    ],
)  # fmt: skip
def test_a_thinner_form_of_novita_s_error_is_its_own(kind, status, body, name):
    assert answer(kind, status, body).told[:2] == ("novita", name)


def test_an_edge_s_429_is_obeyed_and_proves_nothing():
    ended = answer(CREATE, 429, "error code: 1015", {"Retry-After": "7"})
    assert ended.told == ("edge", "RateLimited", UNKNOWN)
    assert (ended.record.outcome, ended.record.retry_after) == ("rate_limited", 7.0)


@pytest.mark.parametrize("told", ["86400", "3601", "Fri, 31 Dec 2099 23:59:59 GMT"])
def test_a_retry_after_of_more_than_an_hour_is_none(told):
    ended = answer(CREATE, 429, "error code: 1015", {"Retry-After": told})
    assert ended.record.retry_after is None


@pytest.mark.parametrize(("kind", "body", "source", "name", "follows"), HIDDEN)
@pytest.mark.parametrize("status", [200, 201])
def test_a_2xx_that_is_no_success_is_an_error(status, kind, body, source, name, follows):
    check((kind, status, body), source, name, follows)


@pytest.mark.parametrize(("kind", "body"), SUCCESSES)
def test_a_success_in_another_form_is_one(kind, body):
    ended = answer(kind, 200, body)
    assert ended.told == ("novita", "-", DONE)
    assert kind is not CREATE or ended.value == ID


@pytest.mark.parametrize(
    ("kind", "status", "body", "refuses"),
    [
        (GET, 400, own(400, "WHAT_IS_THIS", "nobody knows"), True),
        (GET, 400, own(400, "", ""), True),
        (GET, 404, own(404, "", ""), True),
        (GET, 410, own(410), True),
        (GET, 400, own(400, "", "instance not found in cache"), True),
        (DELETE, 422, own(422, "ODD"), True),
        (GET, 500, own(500, "UNKNOWN", "record not found"), True),
        (GET, 401, own(401), False),
        (GET, 403, own(403), False),
        (GET, 403, own(403, "FORBIDDEN", "you do not own this instance"), True),
        (DELETE, 403, own(403, "NO_PERMISSION", "no permission for resource"), True),
        (GET, 403, own(403, "FORBIDDEN", "this api key may not read instances"), False),
        (GET, 403, own(403, "", "user is banned"), False),
        (GET, 429, own(429), False),
        (GET, 400, own(400, "INVALID_API_KEY"), False),
        (GET, 400, own(400, "RATE_LIMIT_EXCEEDED"), False),
        (GET, 499, own(499), False),
        (GET, 408, own(408), False),
        (GET, 400, own(400, "", "context deadline exceeded"), False),
        (GET, 500, own(500), False),
        (GET, 404, "", False),
        (GET, 404, EDGE_BODIES["kong"], False),
        (LIST, 400, own(400, "X"), False),
        (CREATE, 400, own(400, "X"), False),
    ],
)
def test_only_a_4xx_of_novita_about_an_instance_refuses_its_id(kind, status, body, refuses):
    assert answer(kind, status, body).error.refuses_the_id is refuses


@pytest.mark.parametrize("status", [400, 403, 409, 422, 429, 500, 503])
@pytest.mark.parametrize("reason", ["INSUFFICIENT_RESOURCE", "RESOURCE_NOT_FOUND", "FORBIDDEN"])
def test_a_known_reason_is_no_outage_under_any_status(status, reason):
    assert not answer(GET, status, own(status, reason)).record.counts_as_outage


@pytest.mark.parametrize("status", [500, 502, 503, 504, 599])
def test_a_5xx_without_a_known_word_is_an_outage(status):
    assert answer(GET, status, own(status, "UNKNOWN", "oops")).record.counts_as_outage


@pytest.mark.parametrize(("kind", "body"), [(row[0], row[1]) for row in HIDDEN if "Unr" in row[3]])
def test_an_unreadable_form_is_no_outage_and_is_filed_apart(kind, body):
    record = answer(kind, 200, body).record
    assert (record.outcome, record.counts_as_outage) == ("unreadable", False)


def test_a_limit_that_may_be_the_balance_names_both():
    text = str(answer(CREATE, 400, own(400, "CREATE_INSTANCE_LIMIT", "limit reached")).error)
    assert "limit of the account" in text
    assert "balance" in text


@pytest.mark.parametrize("body", [*EDGE_BODIES.values(), own(502, "X", "<html><b>bad</b></html>")])
def test_no_foreign_markup_reaches_a_caller(body):
    text = str(answer(CREATE, 403, body).error)
    assert not re.search(r"[<>]|script|DOCTYPE", text)
    assert len(text) <= e.MAX_TEXT


@pytest.mark.parametrize(
    "body",
    [f"{'x' * 170}{KEY}", {"message": f"{'x' * 150}{KEY}"}, KEY, f"<title>{KEY}</title>"],
)
def test_no_part_of_a_secret_that_an_edge_echoes_survives(body):
    for status in (200, 403):
        assert "sk_t" not in str(answer(CREATE, status, body).error)


def test_an_edge_s_page_is_described_by_its_kind_status_and_title():
    text = str(answer(CREATE, 403, EDGE_BODIES["cloudflare"]).error)
    assert text == (
        "something in front of Novita answered 403: an HTML page titled 'Just a moment...'"
    )


ANY_KIND = st.sampled_from(CallKind)
WORDS = st.text() | st.sampled_from(
    ["NOT_FOUND", "INSUFFICIENT_RESOURCE", "instance not found", "no Route matched", "", "\x00"]
)
OBJECTS = st.dictionaries(
    st.sampled_from(["code", "reason", "message", "metadata", "error", "id", "data", "kind"]),
    WORDS | st.integers() | st.none() | st.booleans() | st.lists(WORDS, max_size=2),
)
BODIES = st.binary() | st.text().map(str.encode) | OBJECTS.map(lambda o: json.dumps(o).encode())


@settings(max_examples=300, deadline=None)
@given(st.integers(300, 599), BODIES, ANY_KIND)
def test_no_body_breaks_the_verdict_and_no_edge_decides_anything(status, body, kind):
    error = error_for(status, body, kind=kind)
    assert error.status == status
    if not listen(status, body).is_novita or error.source is e.Source.EDGE:
        assert not isinstance(error, e.InstanceNotFound)
        assert not error.refuses_the_id
        assert what_follows(error, kind) in (Follows.HOLD, Follows.OUTCOME_UNKNOWN)


@settings(max_examples=150, deadline=None)
@given(BODIES, ANY_KIND)
def test_no_2xx_breaks_the_client(body, kind):
    answer(kind, 200, body)
