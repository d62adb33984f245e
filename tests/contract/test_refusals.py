"""Every route against wrong methods, bodies, media types, parameters, keys and other projects' ids.

The routes are those of the schema: a new one is covered by being there.
"""

import re
from typing import Any

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from accounts.models import ApiKey, Project
from accounts.services import create_api_key
from instances.models import Instance
from jobs.models import Job
from tests.conftest import client_of
from tests.contract.documents import Operation, operations
from tests.novitai.refusals import error_of

ALL = operations()
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW")
PATHS = sorted({operation.path for operation in ALL})
WRITING = [operation for operation in ALL if operation.method in ("POST", "PUT", "PATCH", "DELETE")]
WITH_KEY = [operation for operation in ALL if operation.body.get("security")]
WITH_ID = [operation for operation in ALL if "{id}" in operation.path]
WITH_BODY = [operation for operation in ALL if "requestBody" in operation.body]
JSON = "application/json"
by_id: Any = {"ids": lambda value: getattr(value, "id", str(value)[:30])}

POST_BODY = {"name": "a", "productName": "b", "templateId": 1}


def ask(client: Client, operation: Operation, id: str = "none", **options: Any) -> Any:  # noqa: A002
    options = {"content_type": "application/json", **options}
    return client.generic(operation.method, operation.example_path(id), **options)


def routes(patterns: Any, prefix: str = "") -> list[str]:
    found = []
    for pattern in patterns:
        if isinstance(pattern, URLPattern):
            found.append(prefix + str(pattern.pattern))
        elif isinstance(pattern, URLResolver) and pattern.app_name != "admin":
            found += routes(pattern.url_patterns, prefix + str(pattern.pattern))
    return found


def test_every_route_of_the_service_is_in_the_schema() -> None:
    pages = {"", "docs", "api", "api/", "api/{rest}", "admin"}
    pages |= {"api/schema", "api/docs", "api/redoc", "api/redoc/redoc.js"}
    served = {
        re.sub(r"<(\w+:)?(\w+)>", r"{\2}", route) for route in routes(get_resolver().url_patterns)
    }
    assert {f"/{route}" for route in served - pages} == set(PATHS)


@pytest.mark.parametrize("path", PATHS)
def test_a_wrong_method_names_the_right_ones(api: Client, path: str) -> None:
    right = {operation.method for operation in ALL if operation.path == path}
    for method in METHODS:
        if method in right:
            continue
        response = api.generic(method, path.replace("{id}", "none"))
        error_of(response, 405, "METHOD_NOT_ALLOWED")
        allowed = set(response["Allow"].split(", "))
        assert right <= allowed <= right | {"HEAD"}


@pytest.mark.parametrize("path", ["/api", "/api/schema", "/api/docs", "/health", "/api/nothing"])
def test_options_is_listed_nowhere_where_it_is_refused(anonymous: Client, path: str) -> None:
    answer = anonymous.options(path)
    assert answer.status_code in (404, 405)
    assert "OPTIONS" not in answer.get("Allow", "")


@pytest.mark.parametrize("operation", WITH_KEY, **by_id)
def test_nobody_gets_in_without_a_key(anonymous: Client, db: None, operation: Operation) -> None:
    response = ask(anonymous, operation)
    error_of(response, 401, "UNAUTHORIZED")
    assert response["WWW-Authenticate"].startswith("Bearer")
    for wrong in ("Bearer", "Bearer nvt_wrong", "Basic eDp5", "Bearer a b", "Bearer \xff"):
        refused = ask(anonymous, operation, headers={"authorization": wrong})
        error_of(refused, 401, "UNAUTHORIZED")


BAD_BODIES = [b"{", b"\xff", b'{"a": NaN}', b"[" * 1000, b'{"a": 1, "a": 2}', b'{"x": "\\u0000"}']


@pytest.mark.parametrize("operation", WRITING, **by_id)
def test_a_body_that_is_no_json_is_refused_wherever_a_body_is_read(
    api: Client, project: Project, operation: Operation
) -> None:
    id_ = id_for(operation, project)
    for body in BAD_BODIES:
        response = ask(api, operation, id_, data=body)
        if "requestBody" in operation.body or response.status_code == 400:
            error_of(response, 400, "VALIDATION_ERROR")
        else:
            # Where a body means nothing, it is not looked at. What is deleted is not there again.
            assert response.status_code in (200, 202, 204, 404, 409), response.content


@pytest.mark.parametrize("operation", WITH_BODY, **by_id)
def test_a_body_of_another_shape_is_refused(
    api: Client, project: Project, operation: Operation
) -> None:
    id_ = id_for(operation, project)
    for body in (b"[]", b"null", b'"text"', b"5", b"true", b'{"no such field": 1}'):
        error_of(ask(api, operation, id_, data=body), 400, "VALIDATION_ERROR")


@pytest.mark.parametrize("operation", WITH_BODY, **by_id)
@pytest.mark.parametrize(
    "media_type",
    ["text/plain", "application/xml", "multipart/form-data; boundary=x", "x", "a/b; charset=x"],
)
def test_another_media_type_is_refused(
    api: Client, project: Project, operation: Operation, media_type: str
) -> None:
    id_ = id_for(operation, project)
    response = ask(api, operation, id_, data=b'{"name": "a"}', content_type=media_type)
    error_of(response, 415, "UNSUPPORTED_MEDIA_TYPE")


@pytest.mark.parametrize("operation", WRITING, **by_id)
def test_a_body_over_the_limit_is_refused_everywhere(
    api: Client, settings: Any, operation: Operation
) -> None:
    body = b" " * (settings.CONFIG.max_body_bytes + 1)
    error_of(ask(api, operation, data=body), 413, "PAYLOAD_TOO_LARGE")


@pytest.mark.parametrize("operation", WITH_KEY, **by_id)
@pytest.mark.parametrize(
    "accept", ["image/png", "*/*;q=0", "{own};q=0, */*", "{own};q=0.0, {own}/*"]
)
def test_a_caller_who_does_not_take_what_there_is_is_told(
    api: Client, project: Project, operation: Operation, accept: str
) -> None:
    media = [
        m for s, r in operation.body["responses"].items() if s < "300" for m in r.get("content", ())
    ]
    own = media[0] if media else "application/json"
    response = ask(api, operation, headers={"accept": accept.format(own=own)})
    error = error_of(response, 406, "NOT_ACCEPTABLE")
    assert error["message"] == f"This address answers {own} only."


@pytest.mark.parametrize("operation", [o for o in ALL if o.method == "GET"], **by_id)
@pytest.mark.parametrize("query", ["limit=0", "limit=101", "limit=x", "cursor=%00", "cursor=x%2Fy"])
@pytest.mark.parametrize("how", ["once", "twice"])
def test_a_wrong_parameter_is_an_error_and_not_ignored(
    api: Client, project: Project, operation: Operation, query: str, how: str
) -> None:
    name = query.partition("=")[0]
    if name not in {p["name"] for p in operation.body["parameters"] if p["in"] == "query"}:
        return
    text = query if how == "once" else f"{name}=5&{name}=5"
    path = f"{operation.example_path(id_for(operation, project))}?{text}"
    error_of(api.get(path), 400, "VALIDATION_ERROR")


HOSTILE_IDS = ["%00", "a%00b", "%F0%9F%92%A9", "'", "..", "x" * 3000, "inst_%0a", "%25", "-1"]


@pytest.mark.parametrize("operation", WITH_ID, **by_id)
@pytest.mark.parametrize("id_", HOSTILE_IDS, ids=range(len(HOSTILE_IDS)))
def test_a_hostile_id_is_not_found(api: Client, operation: Operation, id_: str) -> None:
    response = ask(api, operation, id_)
    assert response.status_code == 404, response.content
    assert response.json()["error"]["code"].endswith("NOT_FOUND")


@pytest.mark.parametrize("operation", WITH_ID, **by_id)
def test_what_belongs_to_another_project_is_answered_like_what_there_is_not(
    api: Client, project: Project, other_project: Project, operation: Operation
) -> None:
    theirs = id_for(operation, other_project)
    before = state_of(other_project)
    foreign = ask(api, operation, theirs)
    missing = ask(api, operation, theirs[:-4] + "0000")
    for response in (foreign, missing):
        assert response.status_code == 404
    shown, other = foreign.json()["error"], missing.json()["error"]
    assert shown["code"] == other["code"]
    assert shown["message"].replace(theirs, "") == other["message"].replace(
        theirs[:-4] + "0000", ""
    )
    assert state_of(other_project) == before


def state_of(project: Project) -> list[Any]:
    rows = Instance.objects.filter(project=project).values_list("public_id", "status", "sequence")
    jobs = Job.objects.filter(project=project).values_list("public_id", "status", "attempts")
    keys = ApiKey.objects.filter(project=project).values_list("public_id", "revoked_at")
    return [*rows, *jobs, *keys]


def _webhook_id(client: Client, path: str) -> str:
    """Of an endpoint, its test delivery, or its replay."""
    url = {"url": "https://a.example/"}
    made = client.post("/api/webhooks", url, content_type="application/json").json()
    if path.startswith("/api/webhooks/"):
        return str(made["id"])
    if path.startswith("/api/deliveries/"):
        answer = client.post(
            f"/api/webhooks/{made['id']}/test?timeout=0", content_type="application/json"
        )
        return str(answer.json()["deliveryId"])
    since = {"since": "2030-01-01T00:00:00Z"}
    path = f"/api/webhooks/{made['id']}/replay"
    return str(client.post(path, since, content_type="application/json").json()["id"])


def id_for(operation: Operation, project: Project) -> str:
    """Of an instance, a job or a key of the project, whatever the path is about."""
    client = client_of(create_api_key(project=project, name="maker"))
    if operation.path.startswith("/api/keys/"):
        return str(ApiKey.objects.filter(project=project).latest("id").public_id)
    if operation.path.startswith(("/api/webhooks/", "/api/deliveries/", "/api/replays/")):
        return _webhook_id(client, operation.path)
    answer = client.post("/api/instances", POST_BODY, content_type="application/json")
    if operation.path.startswith("/api/jobs/"):
        return str(Job.objects.filter(project=project).latest("id").public_id)
    return str(answer.json()["instanceId"])
