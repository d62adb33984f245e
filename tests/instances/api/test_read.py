"""GET /api/instances, /api/instances/{id}, /api/instances/{id}/events."""

import re
from typing import Any

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from accounts.models import Project
from accounts.services import create_api_key
from core.clock import database_now
from instances.api.filters import SORTS
from instances.domain.types import Cause, InstanceRequest
from instances.lifecycle.representation import Event, InstanceDetails
from instances.models import Instance, InstanceEvent
from instances.services import create_instance
from novitai.rest.pagination import COUNT_CAP
from tests.conftest import client_of
from tests.jobs.rows import fill

MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def make(project: Project, name: str = "a", **fields: Any) -> Instance:
    spec = InstanceRequest(name=name, product_name="RTX 4090", template_id="1", region="CN-HK-01")
    instance = create_instance(project=project, spec=spec, cause=Cause("tests")).instance
    if fields:
        Instance.objects.filter(pk=instance.pk).update(**fields)
        instance.refresh_from_db()
    return instance


def make_full(project: Project) -> Instance:
    """An instance with every optional field present (no real one has an error and a GPU)."""
    now = database_now()
    return make(
        project,
        status="failed",
        error_code="STARTUP_FAILED",
        error_message="It did not start.",
        started_at=now,
        ready_at=now,
        ended_at=now,
        product_id="p-1",
        price_e5_usd=35_000,
        placement={"reason": "cheapest"},
        upstream_account="acc",
        upstream_id="u-1",
        upstream_status="running",
        port_mappings=[{"port": 22, "endpoint": "ssh://a:22", "type": "tcp"}],
        connection={"ssh": "ssh root@a -p 22"},
        max_price_per_hour_e5_usd=50_000,
        max_runtime_minutes=90,
        readiness_probe={"type": "tcp", "port": 22, "timeoutSeconds": 5},
        probe_error="port 22: no answer within 5 s",
        expires_at=now,
        spot_noticed_at=now,
        spot_reclaim_at=now,
        wait_code="NOVITA_KEY_REFUSED",
        wait_message="Novita refuses the key.",
        waiting_since=now,
        reason_code="SPOT_RECLAIMED",
        reason_message="Novita took the spot instance back.",
    )


def test_a_young_instance_has_no_optional_fields_at_all(api: Client, project: Project) -> None:
    instance = make(project)
    body = api.get(f"/api/instances/{instance.public_id}").json()
    required = {name for name, field in InstanceDetails.model_fields.items() if field.is_required()}
    assert set(body) == required
    assert None not in body.values()
    assert MOMENT.fullmatch(body["createdAt"])
    assert body["portMappings"] == []


def test_the_schema_names_exactly_the_fields_of_a_full_instance(
    api: Client, project: Project
) -> None:
    instance = make_full(project)
    body = api.get(f"/api/instances/{instance.public_id}").json()
    assert set(body) == set(InstanceDetails.model_fields)
    assert (body["pricePerHourUsd"], body["maxPricePerHourUsd"]) == ("0.35", "0.50")
    assert body["error"] == {"code": "STARTUP_FAILED", "message": "It did not start."}


def test_a_row_whose_json_has_an_unexpected_shape_is_shown_as_it_is_stored(
    api: Client, project: Project
) -> None:
    odd: dict[str, Any] = {
        "port_mappings": [{"port": 22, "type": "tcp"}, {"port": "ssh", "zone": 1}],
        "connection": {"ssh": 22},
        "tags": {"team": 7},
    }
    instance = make(project, **odd)
    make(project, name="b")
    body = api.get("/api/instances").json()["instances"][1]
    assert (body["portMappings"], body["connectionDetails"], body["tags"]) == tuple(odd.values())
    assert InstanceDetails.of(instance, now=database_now()).as_json()["tags"] == {"team": 7}


@pytest.mark.parametrize(
    "path", ["inst_000000000000000000000000", "%00", "inst_%00", "%ff", "a" * 500, "'; --", "0"]
)
def test_unknown_ids_are_404_in_words(api: Client, path: str) -> None:
    for suffix in ("", "/events", "/credentials"):
        response = api.get(f"/api/instances/{path}{suffix}")
        assert response.status_code == 404
        assert response.json()["error"]["code"] == "INSTANCE_NOT_FOUND"


def test_what_belongs_to_another_project_does_not_exist(
    api: Client, project: Project, other_project: Project
) -> None:
    foreign = make(other_project)
    for suffix in ("", "/events", "/credentials"):
        path = foreign.public_id + suffix
        response = api.get(f"/api/instances/{path}")
        assert response.status_code == 404
        assert response.json()["error"]["code"] == "INSTANCE_NOT_FOUND"
    assert api.get("/api/instances").json() == {"instances": [], "total": 0, "hasMore": False}
    answer = api.get(f"/api/instances?cursor={foreign.public_id}")
    assert answer.json()["error"]["code"] == "VALIDATION_ERROR"


def test_pages_follow_one_another_newest_first_without_gap_or_repeat(
    api: Client, project: Project
) -> None:
    made = [make(project, name=f"n{i}").public_id for i in range(7)]
    seen: list[str] = []
    cursor = ""
    while True:
        body = api.get(f"/api/instances?limit=3{cursor}").json()
        seen += [row["id"] for row in body["instances"]]
        if "nextCursor" not in body:
            break
        # What is made while somebody reads does not shift the pages behind.
        make(project, name="late")
        cursor = f"&cursor={body['nextCursor']}"
    assert seen == made[::-1]


def test_the_total_stops_at_its_cap(api: Client, project: Project) -> None:
    fill("completed", due_in="0", count=COUNT_CAP + 1, project=project)
    for query in ("", "?status=completed"):
        body = api.get(f"/api/jobs{query}").json()
        assert (body["total"], body["totalIsCapped"]) == (COUNT_CAP, True)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=-1", "limit"),
        ("limit=1e1", "limit"),
        ("limit=", "limit"),
        ("limit=\u0661", "limit"),
        ("limit=99999999999999999999", "limit"),
        ("cursor=", "cursor"),
        ("cursor=%00", "cursor"),
        ("cursor=inst_000000000000000000000000", "cursor"),
        ("status=bogus", "status"),
        ("%00=1", "\x00"),
    ],
)
def test_bad_query_parameters_are_named(api: Client, query: str, field: str) -> None:
    response = api.get(f"/api/instances?{query}")
    assert response.status_code == 400
    error = response.json()["error"]
    assert error["code"] == "VALIDATION_ERROR"
    assert [entry["field"] for entry in error["validationErrors"]] == [field]


def test_a_page_costs_the_same_queries_however_long_it_is(
    api: Client, project: Project, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(5):
        make(project)
    # A key's first use is noted, and an allowance borrowed for what follows.
    api.get("/api/instances")
    # The key, and the page with its count; with a filter the count is a query of its own.
    for filters, count in (("", 2), ("&name=a", 3)):
        for limit in (1, 4):
            with django_assert_num_queries(count):
                body = api.get(f"/api/instances?limit={limit}{filters}").json()
            assert (len(body["instances"]), body["total"]) == (limit, 5)
    # What fits on one page is counted by itself.
    with django_assert_num_queries(2):
        body = api.get("/api/instances?name=a").json()
    assert (len(body["instances"]), body["total"]) == (5, 5)


@pytest.mark.parametrize("sort", SORTS)
def test_a_list_shows_what_an_instance_is_by_itself_with_filters_and_without(
    api: Client, project: Project, sort: str
) -> None:
    paths = [f"/api/instances/{each.public_id}" for each in (make(project), make_full(project))]
    alone = sorted((api.get(path).json() for path in paths), key=lambda each: each["createdAt"])
    for query in ("", "&name=a", "&limit=1"):
        body = api.get(f"/api/instances?sort={sort}{query}").json()
        rows = body["instances"]
        if body["hasMore"]:
            path = f"/api/instances?sort={sort}{query}&cursor={body['nextCursor']}"
            rows += api.get(path).json()["instances"]
        assert sorted(rows, key=lambda each: each["createdAt"]) == alone


def test_events_come_in_order_with_the_fields_of_the_schema(api: Client, project: Project) -> None:
    instance = make(project)
    for sequence in (2, 3):
        InstanceEvent.objects.create(
            project=project,
            instance=instance,
            sequence=sequence,
            type="instance.running",
            from_status="starting",
            to_status="running",
            actor="worker",
            cause="because",
            request_id="r",
            job_id="job_1",
            data={"a": 1},
        )
    first = api.get(f"/api/instances/{instance.public_id}/events?limit=2").json()
    assert [event["sequence"] for event in first["events"]] == [1, 2]
    assert set(first["events"][1]) == set(Event.model_fields)
    cursor = first["nextCursor"]
    rest = api.get(f"/api/instances/{instance.public_id}/events?cursor={cursor}").json()
    assert [event["sequence"] for event in rest["events"]] == [3]
    assert "nextCursor" not in rest


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        "Bearer ",
        "Bearer wrong",
        "Basic YTpi",
        "Bearer \x00",
        "Bearer é",
        "bearer a b",
    ],
)
def test_without_a_valid_key_there_is_401_and_the_way_to_do_it(
    anonymous: Client, db: None, header: str
) -> None:
    for path in ("/api/instances", "/api/instances/inst_1", "/api/jobs", "/api/metrics"):
        response = anonymous.get(path, headers={"authorization": header} if header else {})
        assert response.status_code == 401
        assert response["WWW-Authenticate"] == 'Bearer realm="novitai"'
        assert response.json()["error"]["code"] == "UNAUTHORIZED"


def test_expired_and_revoked_keys_open_nothing(project: Project) -> None:
    expired = create_api_key(project=project, name="old", expires_at=database_now())
    revoked = create_api_key(project=project, name="gone")
    project.api_keys.filter(name="gone").update(revoked_at=database_now())
    for key in (expired, revoked):
        assert client_of(key).get("/api/instances").status_code == 401
