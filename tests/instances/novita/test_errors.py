from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instances.novita import errors as e
from instances.novita.refusals import Subject, error_for


def refusal(status=400, reason="", message="", *, subject=Subject.INSTANCE, is_read=True, **more):
    body = json.dumps({"code": status, "reason": reason, "message": message, "metadata": {}})
    return error_for(status, body.encode(), subject=subject, is_read=is_read, **more)


@pytest.mark.parametrize(
    ("status", "reason", "message", "kind"),
    [
        (400, "INSUFFICIENT_RESOURCE", "", e.InsufficientResource),
        (400, "MIGRATE_INSUFFICIENT_RESOURCE", "", e.InsufficientResource),
        (400, "", "resource insufficient with product 4090", e.InsufficientResource),
        (400, "WHATEVER", "invalid state change", e.InvalidStateChange),
        (400, "", "Invalid State Change", e.InvalidStateChange),
        (400, "BALANCE_NOT_ENOUGH", "", e.BalanceNotEnough),
        (400, "EXPIRED_OR_BALANCE_NOT_ENOUGH", "", e.BalanceNotEnough),
        (403, "MEMBER_BUDGET_NOT_ENOUGH", "", e.BalanceNotEnough),
        (400, "CREATE_INSTANCE_LIMIT", "", e.QuotaExceeded),
        (403, "CREATE_GPU_NUM_LIMIT", "", e.QuotaExceeded),
        (400, "VALIDATOR_PARAM", "rootfs size must not be more than 42 GB", e.InvalidRequest),
        (422, "", "", e.InvalidRequest),
        (405, "", "", e.NovitaRefused),
        (429, "RATE_LIMIT_EXCEEDED", "", e.RateLimited),
        (400, "RATE_LIMIT_EXCEEDED", "", e.RateLimited),
        (401, "UNAUTHORIZED", "", e.AuthenticationFailed),
        (401, "RESOURCE_NOT_FOUND", "not found", e.AuthenticationFailed),
        (403, "INVALID_API_KEY", "", e.AuthenticationFailed),
        (403, "", "instance not found", e.AuthenticationFailed),
        (400, "MISSING_API_KEY", "", e.AuthenticationFailed),
        (400, "USER_NOT_FOUND", "user not found", e.AuthenticationFailed),
        (500, "UNKNOWN", "", e.NovitaServerError),
        (503, "RESOURCE_NOT_FOUND", "not found", e.NovitaServerError),
        (302, "", "", e.NovitaProtocolError),
    ],
)
def test_each_refusal_has_its_kind(status, reason, message, kind):
    assert type(refusal(status, reason, message)) is kind


@pytest.mark.parametrize(
    ("status", "reason", "message"),
    [
        (404, "", ""),
        (404, "RESOURCE_NOT_FOUND", "x"),
        (400, "RESOURCE_NOT_FOUND", ""),
        (400, "resource_not_found", ""),
        (400, "NOT_FOUND", ""),
        (400, "NOT_FOUNT", ""),
        (400, "INSTANCE_NOT_FOUND", ""),
        (400, "", "instance not found"),
        (400, "UNKNOWN", "Instance Not Fount"),
        (400, "REQUEST", "instance 3560 does not exist"),
        (400, "", "instance 3560 not found in cluster us-ca-6"),
    ],
)
def test_an_unknown_instance_is_recognised_in_every_form(status, reason, message):
    error = refusal(status, reason, message)
    assert type(error) is e.InstanceNotFound
    assert not error.retryable
    assert not error.counts_as_outage


@pytest.mark.parametrize(
    ("reason", "message"),
    [
        ("IMAGE_NOT_FOUND", "image not found"),
        ("USER_NOT_FOUND", "not found"),
        ("NETWORK_STORAGE_NOT_FOUND", "not found"),
        ("TEMPLATE_NOT_FOUND", "not found"),
        ("", "product not found"),
        ("", "user not found"),
        ("SOMETHING_ELSE", "not found"),
    ],
)
def test_another_thing_s_absence_never_looks_like_the_instance_s(reason, message):
    assert not isinstance(refusal(400, reason, message), e.InstanceNotFound)


@pytest.mark.parametrize("body", [b"404 page not found", b"<html>Not Found</html>", b'"not found"'])
def test_the_404_of_a_web_server_is_no_proof_of_absence(body):
    error = error_for(404, body, subject=Subject.INSTANCE, is_read=True)
    assert type(error) is e.NovitaProtocolError


@pytest.mark.parametrize("body", [b"", b" ", b"{}", b'{"code":404,"message":"gone"}'])
def test_an_empty_or_api_404_is_absence(body):
    assert type(error_for(404, body, subject=Subject.INSTANCE, is_read=True)) is e.InstanceNotFound


def test_the_subject_decides_what_was_not_found():
    for subject, kind in (
        (Subject.INSTANCE, e.InstanceNotFound),
        (Subject.TEMPLATE, e.TemplateNotFound),
        (Subject.OTHER, e.NotFound),
    ):
        assert type(refusal(400, "RESOURCE_NOT_FOUND", subject=subject)) is kind
    assert type(refusal(400, "", "template not found", subject=Subject.OTHER)) is e.TemplateNotFound


@pytest.mark.parametrize(
    ("status", "is_read", "is_unknown"),
    [(500, False, True), (502, True, False), (302, False, True), (400, False, False)],
)
def test_only_what_may_have_acted_has_an_unknown_outcome(status, is_read, is_unknown):
    assert refusal(status, is_read=is_read).is_outcome_unknown is is_unknown


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 422, 429])
def test_no_4xx_of_the_api_counts_as_an_outage(status):
    assert not refusal(status).counts_as_outage


@pytest.mark.parametrize("status", [500, 502, 503, 504, 599])
def test_every_5xx_counts_as_an_outage(status):
    error = refusal(status)
    assert error.counts_as_outage
    assert error.retryable


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


@given(st.integers(300, 599), st.binary(), st.sampled_from(Subject), st.booleans())
def test_no_error_body_breaks_the_classification(status, body, subject, is_read):
    error = error_for(status, body, subject=subject, is_read=is_read)
    assert isinstance(error, e.NovitaError)
    assert error.status == status
