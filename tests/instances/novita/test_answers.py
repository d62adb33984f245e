"""The table of odd answers: who spoke, what it means, and what follows from it.

A row is a call, a status, a body, and the three words that must come out.
"""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from instances.novita import errors as e
from instances.novita.consequences import CallKind, Follows, what_follows
from instances.novita.speaker import listen
from instances.novita.verdict import error_for
from tests.instances.novita.answering import (
    CREATE,
    DELETE,
    ID,
    KEY,
    LIST,
    LOOK,
    TEMPLATE,
    VERB,
    answer,
)

HOLD, ELSEWHERE, REFUSED = "hold", "retry elsewhere", "refused for certain"
UNKNOWN, ABSENT, DONE = "outcome unknown", "absent", "done"


def own(status, reason="", message=""):
    """Novita's own error shape."""
    return {"code": status, "reason": reason, "message": message, "metadata": {}}


def check(rows_or_row, *expected):
    kind, status, body = rows_or_row
    assert answer(kind, status, body).told == expected


# Novita's own words, as (call, status, reason, message, class, what follows).
SOLD_OUT = [
    (CREATE, status, "INSUFFICIENT_RESOURCE", "", "InsufficientResource", ELSEWHERE)
    for status in (400, 403, 404, 409, 410, 422, 429, 499, 500, 502, 503, 504)
] + [
    (CREATE, 400, "insufficient_resource", "", "InsufficientResource", ELSEWHERE),
    (CREATE, 503, "Insufficient Resource", "", "InsufficientResource", ELSEWHERE),
    (CREATE, 409, "insufficient-resource", "", "InsufficientResource", ELSEWHERE),
    (CREATE, 429, "InsufficientResource", "", "InsufficientResource", ELSEWHERE),
    (CREATE, 400, " INSUFFICIENT_RESOURCE ", "", "InsufficientResource", ELSEWHERE),
    (CREATE, 400, "ERROR_REASON_INSUFFICIENT_RESOURCE", "", "InsufficientResource", ELSEWHERE),
    (CREATE, 400, "RESOURCE_INSUFFICIENT", "", "InsufficientResource", ELSEWHERE),
    (CREATE, 400, "SOLD_OUT", "", "InsufficientResource", ELSEWHERE),
    (CREATE, 400, "RESOURCE_SOLD_OUT", "", "InsufficientResource", ELSEWHERE),
    (CREATE, 500, "INSUFFICIENT_GPU_RESOURCE", "", "InsufficientResource", ELSEWHERE),
    (CREATE, 400, "NO_RESOURCE", "", "InsufficientResource", ELSEWHERE),
    (CREATE, 400, "GPU_SPEC_USED", "", "InsufficientResource", ELSEWHERE),
    (CREATE, 400, "", "resource insufficient with product 4090", "InsufficientResource", ELSEWHERE),
    (CREATE, 500, "UNKNOWN", "Resource Insufficient", "InsufficientResource", ELSEWHERE),
    (CREATE, 400, "VALIDATOR_PARAM", "no available gpu left", "InsufficientResource", ELSEWHERE),
    (CREATE, 503, "UNKNOWN", "库存不足", "InsufficientResource", ELSEWHERE),
    (VERB, 400, "INSUFFICIENT_RESOURCE", "", "InsufficientResource", REFUSED),
    (VERB, 503, "MIGRATE_INSUFFICIENT_RESOURCE", "", "InsufficientResource", REFUSED),
    (LIST, 500, "INSUFFICIENT_RESOURCE", "", "InsufficientResource", HOLD),
]
NOT_THERE = [
    (LOOK, status, reason, message, "InstanceNotFound", ABSENT)
    for status, reason, message in [
        (400, "RESOURCE_NOT_FOUND", ""),
        (400, "resource_not_found", "x"),
        (400, "ResourceNotFound", ""),
        (404, "RESOURCE_NOT_FOUND", "not found"),
        (404, "", ""),
        (404, "", "Not Found"),
        (404, "GONE_AWAY", "whatever this means"),
        (410, "", "instance gone"),
        (400, "NOT_FOUND", ""),
        (400, "NOT_FOUNT", "Not Fount"),
        (400, "INSTANCE_NOT_FOUND", ""),
        (400, "INSTANCE_NOT_EXIST", "instance not exist"),
        (400, "INSTANCE_NOT_EXISTS", ""),
        (400, "InstanceNotExist", ""),
        (400, "INSTANCE_DELETED", ""),
        (400, "INSTANCE_ALREADY_RELEASED", "already released"),
        (400, "", "instance not found"),
        (400, "UNKNOWN", "Instance Not Fount"),
        (400, "REQUEST", "instance 3560 does not exist"),
        (400, "VALIDATOR_PARAM", f"instance {ID} doesn't exist"),
        (400, "", "instance 3560 not found in cluster us-ca-6"),
        (400, "SOMETHING_ELSE", "not found"),
        (400, "X", "no such instance"),
        (400, "X", "unknown instance"),
        (400, "X", f"cannot find instance {ID}"),
        (400, "X", "the instance has been deleted by user"),
        (400, "X", "instance was already removed"),
        (400, "X", "failed to get instance: record not found"),
        (400, "X", "instance not found for account 77"),
        (400, "X", "实例不存在"),
        (403, "INSTANCE_NOT_FOUND", ""),
        (403, "", "instance not found"),
        (409, "", "instance has been deleted"),
        (422, "", "GPU instance no longer exists"),
        (500, "UNKNOWN", "record not found"),
        (500, "", "sql: no rows in result set"),
        (500, "UNKNOWN", "internal server error: record not found"),
        (500, "INTERNAL_ERROR", "record not found"),
        (503, "RESOURCE_NOT_FOUND", "not found"),
        (500, "UNKNOWN", "instance not exist"),
        (500, "UNKNOWN", "rpc error: code = NotFound desc = instance ab1 not found"),
    ]
] + [
    (VERB, 400, "RESOURCE_NOT_FOUND", "", "InstanceNotFound", ABSENT),
    (VERB, 500, "UNKNOWN", "record not found", "InstanceNotFound", ABSENT),
    (DELETE, 400, "INSTANCE_NOT_EXIST", "instance not exist", "InstanceNotFound", ABSENT),
    (DELETE, 404, "", "Not Found", "InstanceNotFound", ABSENT),
    (DELETE, 409, "CONFLICT", "instance already deleted", "InstanceNotFound", ABSENT),
    (TEMPLATE, 400, "", "template not found", "TemplateNotFound", REFUSED),
    (TEMPLATE, 400, "TEMPLATE_IS_PRIVATE", "", "TemplateNotFound", REFUSED),
    (TEMPLATE, 404, "NOT_FOUND", "", "TemplateNotFound", REFUSED),
    (TEMPLATE, 500, "UNKNOWN", "record not found", "NovitaServerError", HOLD),
    # A create that misses an instance has perhaps made it; a 5xx may have come later.
    (CREATE, 400, "X", "instance not found", "NovitaServerError", UNKNOWN),
    (CREATE, 500, "UNKNOWN", "record not found", "NovitaServerError", UNKNOWN),
]
# Nothing of this is the instance's absence. What a 4xx refuses, it refuses all the same.
ANOTHER_THING = [
    (LOOK, status, reason, message, "-absent", HOLD)
    for status, reason, message in [
        (401, "RESOURCE_NOT_FOUND", "not found"),
        (401, "", "instance not found"),
        (403, "", "not found"),
        (400, "IMAGE_NOT_FOUND", "image not found"),
        (400, "USER_NOT_FOUND", "not found"),
        (400, "INSTANCE_LOCAL_STORAGE_NOT_FOUND", "not found"),
        (400, "NETWORK_STORAGE_NOT_FOUND", "not found"),
        (400, "TEMPLATE_NOT_FOUND", "not found"),
        (500, "WALLET_NOT_FOUND", "not found"),
        (400, "RESOURCE_NOT_FOUND", "image of instance 123 not found"),
        (400, "VOLUME_ERROR", "volume not found"),
        (400, "NODE_NOT_FOUND", "not found"),
        (400, "", "product not found"),
        (400, "", "user not found"),
        (400, "", "instance image not found"),
        (400, "", "the host of instance 3560 was not found"),
        (400, "", "instance not found in cache"),
        (400, "", "instance not found yet, please retry"),
        (400, "", "instance does not exist or is not running"),
        (400, "", "instance may not exist"),
        (400, "", "cannot delete instance until volume has been released"),
        (400, "", "instance not ready"),
        (400, "", "instance is being deleted"),
        (404, "", "no route found"),
        (404, "NOT_FOUND", "route not found"),
        (429, "", "not found, too many requests"),
        (500, "UNKNOWN", "upstream not found"),
        (500, "UNKNOWN", "host not found"),
        (500, "UNKNOWN", "dns record not found"),
        (503, "UNKNOWN", "no healthy upstream"),
        (500, "UNKNOWN", "dial tcp: lookup gpu.svc on 10.0.0.1:53: no such host"),
        (500, "UNKNOWN", "get user failed: record not found"),
        (502, "", "404 page not found"),
        (499, "UNKNOWN", "context canceled"),
        (400, "UNKNOWN", "context deadline exceeded"),
    ]
]
REQUEST_OR_OFFER = [
    (CREATE, 400, "IMAGE_NOT_FOUND", "", "NotFound", REFUSED),
    (CREATE, 500, "IMAGE_NOT_FOUND", "", "NotFound", REFUSED),
    (CREATE, 400, "IMAGE_URL_OR_AUTH_ERROR", "", "InvalidRequest", REFUSED),
    (CREATE, 400, "image_url_or_auth_error", "", "InvalidRequest", REFUSED),
    (CREATE, 400, "IMAGE_TOO_LARGE", "", "InvalidRequest", REFUSED),
    (CREATE, 400, "CUDA_VERSION_INCOMPATIBLE", "", "InvalidRequest", REFUSED),
    (CREATE, 400, "CudaVersionIncompatible", "", "InvalidRequest", REFUSED),
    (CREATE, 400, "REGISTRY_AUTH_INVALID", "", "InvalidRequest", REFUSED),
    (CREATE, 400, "CudaNotSupported", "", "InvalidRequest", REFUSED),
    (CREATE, 400, "INVALID_COMMAND_PARAM", "", "InvalidRequest", REFUSED),
    (CREATE, 400, "VALIDATOR_PARAM", "invalid image url", "InvalidRequest", REFUSED),
    (CREATE, 400, "VALIDATOR_PARAM", "registry credentials are wrong", "InvalidRequest", REFUSED),
    (CREATE, 400, "VALIDATOR_PARAM", "cuda version not supported", "InvalidRequest", REFUSED),
    (CREATE, 400, "VALIDATOR_PARAM", "name is required", "InvalidRequest", REFUSED),
    (CREATE, 400, "RESOURCE_NOT_FOUND", "image not found", "NotFound", REFUSED),
    (CREATE, 400, "X", "failed to pull image: unauthorized", "InvalidRequest", REFUSED),
    (CREATE, 400, "TEMPLATE_NOT_FOUND", "", "TemplateNotFound", REFUSED),
    (CREATE, 400, "NETWORK_STORAGE_NOT_FOUND", "", "NotFound", REFUSED),
    (CREATE, 400, "RESOURCE_NOT_FOUND", "", "NotFound", ELSEWHERE),
    (CREATE, 404, "NOT_FOUND", "product not found", "NotFound", ELSEWHERE),
    (CREATE, 400, "VALIDATOR_PARAM", "product id not exist", "NotFound", ELSEWHERE),
    (CREATE, 400, "CLUSTER_STATUS", "", "InvalidRequest", ELSEWHERE),
    (CREATE, 400, "NODE_STATUS", "", "InvalidRequest", ELSEWHERE),
    (CREATE, 400, "UNSUPPORTED_BILLING_MODE", "", "InvalidRequest", ELSEWHERE),
    (CREATE, 400, "VALIDATOR_PARAM", "", "InvalidRequest", ELSEWHERE),
    (CREATE, 400, "VALIDATOR_PARAM", "rootfs size must not be more than 42 GB",
     "InvalidRequest", ELSEWHERE),
    (VERB, 400, "UNSUPPORTED_BILLING_MODE", "", "InvalidRequest", REFUSED),
    (DELETE, 400, "PREPAID_INSTANCE_NOT_SUPPORT_RELEASE", "", "InvalidRequest", REFUSED),
]  # fmt: skip
ACCOUNT = [
    (kind, status, reason, message, name, HOLD)
    for kind in (CREATE, LOOK, VERB)
    for status, reason, message, name in [
        (401, "UNAUTHORIZED", "invalid api key", "AuthenticationFailed"),
        (401, "WHO_KNOWS", "", "AuthenticationFailed"),
        (403, "FORBIDDEN", "", "AuthenticationFailed"),
        (403, "NEVER_HEARD", "of it", "AuthenticationFailed"),
        (400, "MISSING_API_KEY", "", "AuthenticationFailed"),
        (500, "invalid-api-key", "", "AuthenticationFailed"),
        (400, "API_KEY_EXPIRED", "", "AuthenticationFailed"),
        (400, "EXPIRED_KEY", "", "AuthenticationFailed"),
        (400, "INSUFFICIENT_RESOURCE_QUOTA", "", "QuotaExceeded"),
        (400, "USER_NOT_FOUND", "user not found", "AuthenticationFailed"),
        (400, "BannedUser", "", "AuthenticationFailed"),
        (400, "X", "the api key has been revoked", "AuthenticationFailed"),
        (400, "BALANCE_NOT_ENOUGH", "", "BalanceNotEnough"),
        (500, "BALANCE_NOT_ENOUGH", "", "BalanceNotEnough"),
        (403, "MEMBER_BUDGET_NOT_ENOUGH", "", "BalanceNotEnough"),
        (402, "", "", "BalanceNotEnough"),
        (400, "X", "Insufficient Balance", "BalanceNotEnough"),
        (400, "X", "余额不足", "BalanceNotEnough"),
        (400, "CREATE_INSTANCE_LIMIT", "", "QuotaExceeded"),
        (403, "CREATE_GPU_NUM_LIMIT", "", "QuotaExceeded"),
        (429, "createGpuNumLimit", "", "QuotaExceeded"),
        (400, "X", "instance quota exceeded", "QuotaExceeded"),
        (429, "RATE_LIMIT_EXCEEDED", "", "RateLimited"),
        (429, "", "", "RateLimited"),
        (429, "WHAT_EVER", "", "RateLimited"),
        (400, "RateLimitExceeded", "", "RateLimited"),
        (503, "", "too many requests", "RateLimited"),
    ]
]
IN_DOUBT = [
    (kind, status, reason, message, name, UNKNOWN)
    for kind in (CREATE, VERB, DELETE)
    for status, reason, message, name in [
        (499, "UNKNOWN", "context canceled", "NovitaServerError"),
        (499, "", "", "NovitaServerError"),
        (408, "", "", "NovitaServerError"),
        (425, "", "too early", "NovitaServerError"),
        (421, "", "", "NovitaServerError"),
        (500, "UNKNOWN", "", "NovitaServerError"),
        (503, "", "busy", "NovitaServerError"),
        (504, "DEADLINE_EXCEEDED", "", "NovitaServerError"),
        (400, "CANCELED", "", "NovitaServerError"),
        (400, "UNKNOWN", "context deadline exceeded", "NovitaServerError"),
        (400, "UNKNOWN", "rpc error: connection refused", "NovitaServerError"),
        (400, "NEVER_HEARD", "of this", "InvalidRequest"),
        (400, "", "", "InvalidRequest"),
        (422, "FLAVOUR", "", "InvalidRequest"),
        (405, "WHY", "", "NovitaRefused"),
        (418, "TEAPOT", "", "NovitaRefused"),
    ]
] + [
    (CREATE, 409, "ABORTED", "", "NovitaServerError", UNKNOWN),
    (CREATE, 409, "ALREADY_EXISTS", "", "NovitaServerError", UNKNOWN),
    (CREATE, 400, "CONFLICT", "", "NovitaServerError", UNKNOWN),
    (CREATE, 400, "X", "invalid state change", "InvalidStateChange", UNKNOWN),
    (CREATE, 404, "X", "", "NotFound", UNKNOWN),
    (CREATE, 400, "X", "flavour not found", "NotFound", UNKNOWN),
    (VERB, 400, "WHATEVER", "Invalid State Change", "InvalidStateChange", UNKNOWN),
    (VERB, 400, "InvalidStateChange", "", "InvalidStateChange", UNKNOWN),
    (VERB, 409, "", "", "InvalidStateChange", UNKNOWN),
    (VERB, 400, "CONFLICT", "", "InvalidStateChange", UNKNOWN),
    (DELETE, 409, "ABORTED", "", "InvalidStateChange", UNKNOWN),
]  # fmt: skip
OWN = [*SOLD_OUT, *NOT_THERE, *REQUEST_OR_OFFER, *ACCOUNT, *IN_DOUBT]

# What gateways, meshes, firewalls and web servers send.
EDGE_BODIES = {
    "empty": "",
    "blank": "  \n",
    "empty object": "{}",
    "null": "null",
    "kong": {"message": "no Route matched with those values"},
    "kong with id": {"message": "no Route matched with those values", "request_id": "3f1"},
    "kong's service": {"message": "name resolution failed"},
    "aws": {"message": "Forbidden"},
    "aws token": {"message": "Missing Authentication Token"},
    "aws capital": {"Message": "User is not authorized"},
    "not found": {"message": "Not Found"},
    "code and phrase": {"code": 404, "message": "Not Found"},
    "own shape, other's words": {
        "code": 404, "reason": "", "message": "no route matched", "metadata": {}
    },
    "own shape, other's reason": {
        "code": 404, "reason": "ROUTE_NOT_FOUND", "message": "", "metadata": {}
    },
    "generic reason, other's words": {
        "code": 404, "reason": "NOT_FOUND", "message": "no route matched", "metadata": {}
    },
    "kong's key": {"message": "No API key found in request"},
    "azure": {"statusCode": 404, "message": "Resource not found"},
    "azure nested": {"error": {"code": "ResourceNotFound", "message": "instance not found"}},
    "google": {"error": {"code": 404, "message": "not found", "status": "NOT_FOUND"}},
    "grpc gateway": {"code": 5, "message": "Method does not exist.", "details": []},
    "kubernetes": {
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": "the server could not find the requested resource", "reason": "NotFound",
        "details": {}, "code": 404,
    },
    "apigee": {"fault": {"faultstring": "Unable to identify proxy", "detail": {}}},
    "apisix": {"error_msg": "404 Route Not Found"},
    "tyk": {"error": "Requested endpoint is forbidden"},
    "spring": {"timestamp": "x", "status": 404, "error": "Not Found", "path": "/gpu/instance"},
    "nest": {"statusCode": 404, "message": "Cannot GET /gpu/instance", "error": "Not Found"},
    "fastapi": {"detail": "Not Found"},
    "problem": {"type": "about:blank", "title": "Not Found", "status": 404},
    "huawei": {"error_code": "APIG.0101", "error_msg": "The API does not exist"},
    "s3": {"code": "NoSuchKey", "message": "The specified key does not exist."},
    "list": [{"code": 404, "reason": "RESOURCE_NOT_FOUND"}],
    "string": '"not found"',
    "traefik": "404 page not found\n",
    "envoy": "no healthy upstream",
    "istio": "RBAC: access denied",
    "cloudflare text": "error code: 1020",
    "cloudflare": "<!DOCTYPE html><html><title>Just a moment...</title><script>x()</script></html>",
    "nginx": "<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>",
    "akamai": "<HTML><HEAD>\n<TITLE>Access Denied</TITLE></HEAD></HTML>",
    "alb": "<html>\r\n<head><title>503 Service Temporarily Unavailable</title></head></html>",
    "xml": "<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>",
    "binary": b"\x1f\x8b\x00\xff\xfe",
    "half of an own one": '{"code":404,"reason":"RESOURCE_NOT_FO',
}  # fmt: skip
EDGE_STATUSES = (302, 400, 401, 403, 404, 405, 409, 410, 499, 500, 502, 503, 520)

# A 2xx that is no success, as (call, body, speaker, class, what follows).
HIDDEN = [
    (VERB, {"code": 500, "message": "internal error"}, "novita", "NovitaServerError", UNKNOWN),
    (DELETE, {"code": 500, "message": "internal error"}, "novita", "NovitaServerError", UNKNOWN),
    (DELETE, own(500), "novita", "NovitaServerError", UNKNOWN),
    (DELETE, own(404, "", "Not Found"), "novita", "InstanceNotFound", ABSENT),
    (DELETE, {"code": 400, "message": "instance not exist"}, "novita", "InstanceNotFound", ABSENT),
    (VERB, {"code": "500", "message": "oops"}, "novita", "NovitaServerError", UNKNOWN),
    (VERB, {"code": 1, "message": "failed"}, "novita", "NovitaServerError", UNKNOWN),
    (VERB, {"code": -1, "msg": "failed"}, "edge", "EdgeAnswered", UNKNOWN),
    (VERB, {"success": False}, "edge", "EdgeAnswered", UNKNOWN),
    (VERB, {"success": False, "message": "no"}, "novita", "NovitaServerError", UNKNOWN),
    (VERB, {"error": "no"}, "edge", "EdgeAnswered", UNKNOWN),
    (VERB, {"status": "error", "message": "no"}, "novita", "NovitaServerError", UNKNOWN),
    (VERB, {"message": "invalid state change"}, "novita", "InvalidStateChange", UNKNOWN),
    (VERB, {"message": "no Route matched with those values"}, "edge", "EdgeAnswered", UNKNOWN),
    (CREATE, own(400, "INSUFFICIENT_RESOURCE"), "novita", "InsufficientResource", ELSEWHERE),
    (CREATE, {"reason": "insufficient_resource"}, "novita", "InsufficientResource", ELSEWHERE),
    (CREATE, {"error": own(400, "INSUFFICIENT_RESOURCE")}, "novita", "InsufficientResource",
     ELSEWHERE),
    (CREATE, {**own(500, "UNKNOWN", "oops"), "id": ID}, "novita", "NovitaServerError", UNKNOWN),
    (CREATE, {"code": 500, "message": "oops", "data": None}, "novita", "NovitaServerError",
     UNKNOWN),
    (LOOK, own(400, "RESOURCE_NOT_FOUND"), "novita", "InstanceNotFound", ABSENT),
    (LOOK, own(401, "UNAUTHORIZED"), "novita", "AuthenticationFailed", HOLD),
    (LIST, {"code": 500, "message": "internal error", "data": []}, "novita", "NovitaServerError",
     HOLD),
    (LIST, {"code": 500, "message": "x", "instances": []}, "novita", "NovitaServerError", HOLD),
    (LIST, {"success": False, "instances": [], "total": 0}, "edge", "EdgeAnswered", HOLD),
    (LIST, {}, "novita", "UnreadableAnswer", HOLD),
    (LIST, "null", "novita", "UnreadableAnswer", HOLD),
    (LIST, {"instances": None}, "novita", "UnreadableAnswer", HOLD),
    (LIST, {"instances": "x", "total": 3}, "novita", "UnreadableAnswer", HOLD),
    (LIST, {"total": 3}, "novita", "UnreadableAnswer", HOLD),
    (LOOK, {}, "novita", "UnreadableAnswer", HOLD),
    (LOOK, {"id": "ffff"}, "novita", "UnreadableAnswer", HOLD),
    (TEMPLATE, {"template": {"Id": "6"}}, "novita", "UnreadableAnswer", HOLD),
    (CREATE, {}, "novita", "UnreadableAnswer", UNKNOWN),
    (CREATE, {"id": ""}, "novita", "UnreadableAnswer", UNKNOWN),
    (CREATE, {"id": "trace-1", "data": {"id": ID}}, "novita", "UnreadableAnswer", UNKNOWN),
    (CREATE, '"ok"', "novita", "UnreadableAnswer", UNKNOWN),
    (CREATE, "<html>", "edge", "EdgeAnswered", UNKNOWN),
    (CREATE, "", "edge", "EdgeAnswered", UNKNOWN),
    (LIST, "", "edge", "EdgeAnswered", HOLD),
    (LOOK, "<!doctype html><title>Log in</title>", "edge", "EdgeAnswered", HOLD),
    (DELETE, "<html>", "edge", "EdgeAnswered", UNKNOWN),
    (VERB, "OK, I guess", "edge", "EdgeAnswered", UNKNOWN),
]  # fmt: skip
SUCCESSES = [
    *((kind, body) for kind in (VERB, DELETE) for body in ("", "{}", "null", "[]", '"ok"')),
    (VERB, {"instanceId": ID, "state": "toStop"}),
    (VERB, {"code": 0, "message": "ok"}),
    (VERB, {"code": 200, "message": "whatever"}),
    (VERB, {"code": 1, "message": "Success"}),
    (DELETE, {"success": True}),
    (DELETE, {"code": 10000, "message": "x", "data": {"instanceId": ID}}),
    (LOOK, {"id": ID, "status": "running"}),
    (LOOK, {"id": ID, "code": 404}),
    (LOOK, {"instance": {"id": ID}}),
    (LOOK, {"code": 0, "message": "ok", "data": {"id": ID}}),
    (LOOK, {"data": [{"id": ID}]}),
    (TEMPLATE, {"template": {"Id": 212}}),
    (TEMPLATE, {"template": [{"Id": "212"}]}),
    *(
        (CREATE, body)
        for body in (
            {"id": ID}, {"Id": ID}, {"instanceId": ID}, {"instance_id": ID}, {"data": {"id": ID}},
            {"data": {"instanceId": ID}}, {"instance": {"id": ID}}, {"data": ID}, f'"{ID}"',
            {"data": {"instance": {"id": ID}}}, {"result": {"id": ID}}, {"ids": [ID]},
            {"code": 0, "message": "ok", "data": {"id": ID}}, {"id": ID, "instanceId": ID},
            {"data": [{"id": ID}]}, {"id": ID, "reason": "", "message": ""},
        )
    ),
    *(
        (LIST, body)
        for body in (
            {"instances": [], "total": 0}, {"instances": []}, {"total": "0"},
            {"instances": None, "total": 0}, {"data": {"list": [{"id": "a"}], "total": "1"}},
            {"data": [{"id": "a"}]}, {"data": {"instances": [{"id": "a"}]}}, [{"id": "a"}],
            {"code": 0, "data": {"items": [], "total": 0}}, {"list": [{"id": "a"}]},
        )
    ),
]  # fmt: skip


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
        (LOOK, 404, {"message": "instance not found"}, "InstanceNotFound"),
        (LOOK, 404, {"code": 404, "message": "instance not found"}, "InstanceNotFound"),
        (LOOK, 400, {"code": 400, "message": "not found"}, "InstanceNotFound"),
        (LOOK, 500, {"code": 500, "message": "record not found"}, "InstanceNotFound"),
        (LOOK, 404, {"code": "404", "reason": "INSTANCE_NOT_FOUND"}, "InstanceNotFound"),
        (LOOK, 404, {"code": 404, "reason": "RESOURCE_NOT_FOUND", "requestId": "1"},
         "InstanceNotFound"),
        (LOOK, 404, {"reason": "NOT_FOUND"}, "InstanceNotFound"),
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
        (LOOK, 400, own(400, "WHAT_IS_THIS", "nobody knows"), True),
        (LOOK, 400, own(400, "", ""), True),
        (LOOK, 404, own(404, "", ""), True),
        (LOOK, 410, own(410), True),
        (LOOK, 400, own(400, "", "instance not found in cache"), True),
        (DELETE, 422, own(422, "ODD"), True),
        (LOOK, 500, own(500, "UNKNOWN", "record not found"), True),
        (LOOK, 401, own(401), False),
        (LOOK, 403, own(403), False),
        (LOOK, 429, own(429), False),
        (LOOK, 400, own(400, "INVALID_API_KEY"), False),
        (LOOK, 400, own(400, "RATE_LIMIT_EXCEEDED"), False),
        (LOOK, 499, own(499), False),
        (LOOK, 408, own(408), False),
        (LOOK, 400, own(400, "", "context deadline exceeded"), False),
        (LOOK, 500, own(500), False),
        (LOOK, 404, "", False),
        (LOOK, 404, EDGE_BODIES["kong"], False),
        (LIST, 400, own(400, "X"), False),
        (CREATE, 400, own(400, "X"), False),
    ],
)
def test_only_a_4xx_of_novita_about_an_instance_refuses_its_id(kind, status, body, refuses):
    assert answer(kind, status, body).error.refuses_the_id is refuses


@pytest.mark.parametrize("status", [400, 403, 409, 422, 429, 500, 503])
@pytest.mark.parametrize("reason", ["INSUFFICIENT_RESOURCE", "RESOURCE_NOT_FOUND", "FORBIDDEN"])
def test_a_known_reason_is_no_outage_under_any_status(status, reason):
    assert not answer(LOOK, status, own(status, reason)).record.counts_as_outage


@pytest.mark.parametrize("status", [500, 502, 503, 504, 599])
def test_a_5xx_without_a_known_word_is_an_outage(status):
    assert answer(LOOK, status, own(status, "UNKNOWN", "oops")).record.counts_as_outage


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
