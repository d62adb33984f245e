from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from upstream import errors as e
from upstream.answers.consequences import CallKind
from upstream.answers.verdict import error_for


def refusal(status=400, reason="", message="", *, kind=CallKind.GET, **more):
    body = json.dumps({"code": status, "reason": reason, "message": message, "metadata": {}})
    return error_for(status, body.encode(), kind=kind, **more)


def test_the_call_decides_what_was_not_found():
    for kind, expected in (
        (CallKind.GET, e.InstanceNotFound),
        (CallKind.TEMPLATE, e.TemplateNotFound),
        (CallKind.CREATE, e.NotFound),
    ):
        assert type(refusal(400, "RESOURCE_NOT_FOUND", kind=kind)) is expected
    assert type(refusal(400, "", "template not found", kind=CallKind.LIST)) is e.TemplateNotFound


@pytest.mark.parametrize(
    ("status", "kind", "is_unknown"),
    [
        (500, CallKind.VERB, True),
        (502, CallKind.GET, False),
        (302, CallKind.CREATE, True),
        (401, CallKind.CREATE, False),
    ],
)
def test_only_what_may_have_acted_has_an_unknown_outcome(status, kind, is_unknown):
    assert refusal(status, kind=kind).is_outcome_unknown is is_unknown


def test_secrets_are_blanked_before_the_text_is_cut():
    secret = "s3cr3t-value"
    message = "x" * (e.MAX_TEXT - 15) + secret + secret
    text = str(refusal(400, "VALIDATOR_PARAM", message, secrets=[secret]))
    assert "s3cr" not in text
    assert len(text) <= e.MAX_TEXT


def test_a_secret_in_the_reason_is_blanked_too():
    error = refusal(400, "KEY_ABCD", "", secrets=["KEY_ABCD"])
    assert "ABCD" not in error.reason + str(error)


def test_a_secret_that_contains_another_leaves_no_rest():
    assert e.clean_text("token-extra", ["token", "token-extra"]) == "***"


@given(st.text())
def test_clean_text_is_short_and_printable(text):
    cleaned = e.clean_text(text)
    assert len(cleaned) <= e.MAX_TEXT
    assert cleaned.isprintable()


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("<p>no</p> <b class='x'>way", "no way"),
        ("<script>alert('x')</script>busy", "busy"),
        ("<script>never closed", ""),
        ("<!-- c --><a href='http://x'>", ""),
        ("use < 42 GB, and > 10", "use < 42 GB, and > 10"),
        ("half a tag <img src=", "half a tag"),
    ],
)
def test_markup_is_taken_out_of_a_text(text, cleaned):
    assert e.clean_text(text) == cleaned
