"""Tables of answers that are not Novita's words, and of every 2xx: a failure or a success."""

from __future__ import annotations

from tests.upstream.answered_calls import CREATE, DELETE, GET, ID, LIST, TEMPLATE, VERB
from tests.upstream.own_answers import ABSENT, ELSEWHERE, HOLD, UNKNOWN, own

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
    (GET, own(400, "RESOURCE_NOT_FOUND"), "novita", "InstanceNotFound", ABSENT),
    (GET, own(401, "UNAUTHORIZED"), "novita", "AuthenticationFailed", HOLD),
    (LIST, {"code": 500, "message": "internal error", "data": []}, "novita", "NovitaServerError",
     HOLD),
    (LIST, {"code": 500, "message": "x", "instances": []}, "novita", "NovitaServerError", HOLD),
    (LIST, {"success": False, "instances": [], "total": 0}, "edge", "EdgeAnswered", HOLD),
    (LIST, {}, "novita", "UnreadableAnswer", HOLD),
    (LIST, "null", "novita", "UnreadableAnswer", HOLD),
    (LIST, {"instances": None}, "novita", "UnreadableAnswer", HOLD),
    (LIST, {"instances": "x", "total": 3}, "novita", "UnreadableAnswer", HOLD),
    (LIST, {"total": 3}, "novita", "UnreadableAnswer", HOLD),
    (GET, {}, "novita", "BlankAnswer", HOLD),
    (GET, {"id": "ffff"}, "novita", "UnreadableAnswer", HOLD),
    (TEMPLATE, {"template": {"Id": "6"}}, "novita", "UnreadableAnswer", HOLD),
    (CREATE, {}, "novita", "UnreadableAnswer", UNKNOWN),
    (CREATE, {"id": ""}, "novita", "UnreadableAnswer", UNKNOWN),
    (CREATE, {"id": "trace-1", "data": {"id": ID}}, "novita", "UnreadableAnswer", UNKNOWN),
    (CREATE, '"ok"', "novita", "UnreadableAnswer", UNKNOWN),
    (CREATE, "<html>", "edge", "EdgeAnswered", UNKNOWN),
    (CREATE, "", "edge", "EdgeAnswered", UNKNOWN),
    (LIST, "", "edge", "EdgeAnswered", HOLD),
    (GET, "<!doctype html><title>Log in</title>", "edge", "EdgeAnswered", HOLD),
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
    (GET, {"id": ID, "status": "running"}),
    (GET, {"id": ID, "code": 404}),
    (GET, {"instance": {"id": ID}}),
    (GET, {"code": 0, "message": "ok", "data": {"id": ID}}),
    (GET, {"data": [{"id": ID}]}),
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
