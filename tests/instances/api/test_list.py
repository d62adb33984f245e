"""GET /api/instances: filters and sorts."""

import json
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest
from django.test import Client

from accounts.models import Project
from instances.api.filters import SORTS, InstanceFilter
from instances.models import Instance
from jobs.api.filters import JobFilter
from jobs.models import Job
from tests.instances.api.refusals import error_of
from tests.instances.api.test_read import make

BORN = datetime(2026, 1, 1, tzinfo=UTC)


def listed(api: Client, query: str = "") -> list[str]:
    response = api.get(f"/api/instances?{query}")
    assert response.status_code == 200, response.content
    return [row["name"] for row in response.json()["instances"]]


def walk(api: Client, query: str) -> list[str]:
    """All pages, by the Link header alone."""
    names: list[str] = []
    address: str | None = f"/api/instances?limit=2&{query}"
    while address:
        response = api.get(address)
        body = response.json()
        names += [row["name"] for row in body["instances"]]
        assert body["hasMore"] == ("nextCursor" in body) == response.has_header("Link")
        link = response.get("Link", "")
        assert not link or link.endswith('; rel="next"')
        address = link.partition(";")[0].strip("<>") or None
    return names


@pytest.fixture
def several(project: Project, other_project: Project) -> None:
    """Five that differ in everything, with ties in price and age; and their like elsewhere."""
    for owner in (project, other_project):
        for number, name in enumerate(["b", "a", "Beta_1", "a", "c"]):
            make(
                owner,
                name=name if owner == project else f"their-{name}",
                status=["starting", "stopping", "stopped", "starting", "failed"][number],
                error_code="STARTUP_FAILED",
                region="US-WEST-01" if number % 2 else "CN-HK-01",
                product_name="H100 80GB" if number < 2 else "RTX 4090",
                product_id=f"prod-{number}",
                billing_mode="onDemand" if number == 4 else "spot",
                price_e5_usd=[None, 300, 100, 100, 200][number],
                tags=[{}, {"team": "x"}, {"team": "y", "run": "1"}, {"run": "1"}, {"team": ""}][
                    number
                ],
                created_at=BORN + timedelta(days=number // 2),
            )


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("status=starting", "b a"),
        ("status=stopped,failed", "Beta_1 c"),
        ("region=US-WEST-01", "a a"),
        ("region=EU-WEST-01", ""),
        ("product=h100%2080gb", "b a"),
        ("product=prod-3", "a"),
        ("name=b", "b Beta_1"),
        ("name=beta_", "Beta_1"),
        ("name=beta%25", ""),
        ("name=eta", ""),
        ("billingMode=onDemand", "c"),
        ("tag=team", "a Beta_1 c"),
        ("tag=team:y", "Beta_1"),
        ("tag=team:", "c"),
        ("tag=team&tag=run:1", "Beta_1"),
        ("tag=team:x&tag=team:y", ""),
        ("createdAfter=2026-01-02T00:00:00Z", "Beta_1 a c"),
        ("createdBefore=2026-01-02T01:00:00%2B01:00", "b a"),
        ("createdAfter=2026-01-02T00:00:00Z&status=starting&tag=run", "a"),
    ],
)
def test_filters_find_what_they_name_and_nothing_of_others(
    api: Client, several: None, query: str, names: str
) -> None:
    assert listed(api, f"{query}&sort=createdAt") == names.split()
    assert api.get(f"/api/instances?{query}").json()["total"] == len(names.split())


@pytest.mark.parametrize(
    ("sort", "names"),
    [
        ("createdAt", "b a Beta_1 a c"),
        ("-createdAt", "c a Beta_1 a b"),
        ("pricePerHourUsd", "b Beta_1 a c a"),
        ("-pricePerHourUsd", "a c a Beta_1 b"),
    ],
)
def test_pages_keep_to_the_sort_through_ties(
    api: Client, several: None, sort: str, names: str
) -> None:
    assert walk(api, f"sort={sort}") == names.split()


@pytest.mark.parametrize("sort", SORTS)
def test_each_row_is_on_one_page_whatever_the_sort(api: Client, several: None, sort: str) -> None:
    assert sorted(walk(api, f"sort={sort}")) == sorted(["b", "a", "Beta_1", "a", "c"])
    opposite = sort.removeprefix("-") if sort.startswith("-") else f"-{sort}"
    assert walk(api, f"sort={sort}") == walk(api, f"sort={opposite}")[::-1]


def test_a_walk_keeps_its_filters(api: Client, several: None) -> None:
    query = "tag=team&sort=-name&status=stopping,stopped,failed"
    assert sorted(walk(api, query)) == ["Beta_1", "a", "c"]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("sort=age", "sort"),
        ("sort=", "sort"),
        ("sort=name&sort=-name", "sort"),
        ("status=", "status"),
        ("status=running,", "status"),
        ("status=running&status=failed", "status"),
        ("region=", "region"),
        ("region=%00", "region"),
        ("name=", "name"),
        (f"name={'a' * 101}", "name"),
        ("name=%00", "name"),
        ("product=%00", "product"),
        ("billingMode=free", "billingMode"),
        ("createdAfter=2026-01-01T00:00:00", "createdAfter"),
        ("createdAfter=yesterday", "createdAfter"),
        ("createdBefore=9999999-01-01T00:00:00Z", "createdBefore"),
        ("tag=", "tag[0]"),
        ("tag=A", "tag[0]"),
        ("tag=a:%00", "tag[0]"),
        ("tag=a:%0A", "tag[0]"),
        (f"tag=a:{'x' * 201}", "tag[0]"),
        ("&".join(f"tag=a{i}" for i in range(21)), "tag"),
        ("tags=a", "tags"),
        ("cursor=a&cursor=b", "cursor"),
        (f"cursor={quote('é' * 700)}", "cursor"),
        ("cursor=WyJhIl0.abc", "cursor"),
    ],
)
def test_what_is_wrong_with_a_query_is_named(api: Client, query: str, field: str) -> None:
    error = error_of(api.get(f"/api/instances?{query}"), 400)
    assert error["code"] == "VALIDATION_ERROR"
    assert [entry["field"] for entry in error["validationErrors"]] == [field]


def test_a_region_that_there_is_not_is_refused_as_in_the_list_of_products(api: Client) -> None:
    for path in ("/api/instances", "/api/products"):
        (entry,) = error_of(api.get(f"{path}?region=NOWHERE"), 400)["validationErrors"]
        message = "must be one of: CN-HK-01, US-WEST-01, EU-WEST-01"
        assert entry == {"field": "region", "message": message, "value": "NOWHERE"}


def test_a_region_that_is_configured_no_more_still_finds_what_is_there(
    api: Client, several: None, project: Project, other_project: Project
) -> None:
    Instance.objects.filter(region="US-WEST-01").update(region="GONE-01")
    assert api.get("/api/instances?region=GONE-01").json()["total"] > 0
    Instance.objects.update(project=other_project)
    error_of(api.get("/api/instances?region=GONE-01"), 400)


def test_tags_come_with_the_request_and_stay_here(api: Client, project: Project) -> None:
    body = {"name": "a", "productName": "b", "templateId": "1", "tags": {"team": "vision"}}
    made = api.post("/api/instances", json.dumps(body), content_type="application/json").json()
    details = api.get(f"/api/instances/{made['instanceId']}").json()
    assert details["tags"] == {"team": "vision"}
    assert "vision" not in json.dumps(list(Job.objects.values_list("payload", flat=True)))


def test_every_filter_is_in_the_schema(api: Client) -> None:
    schema = api.get("/api/schema").json()["paths"]["/api/instances"]["get"]
    names = {each["name"] for each in schema["parameters"] if each["in"] == "query"}
    assert names == {*InstanceFilter().fields, "sort", "limit", "cursor"}


COMPOSED, DECOMPOSED = "caf\u00e9 \u1e69", "cafe\u0301 s\u0323\u0307"
MIXED = "caf\u00e9 s\u0307\u0323"


@pytest.mark.parametrize("asked", [COMPOSED, DECOMPOSED, MIXED])
@pytest.mark.parametrize("sent", [COMPOSED, DECOMPOSED, MIXED])
def test_a_tag_is_found_in_every_form_of_its_letters(
    api: Client, project: Project, sent: str, asked: str
) -> None:
    body = {"name": "a", "productName": "b", "templateId": "1", "tags": {"team": sent}}
    made = api.post("/api/instances", body, "application/json").json()["instanceId"]
    found = api.get("/api/instances", {"tag": f"team:{asked}"}).json()["instances"]
    assert [(row["id"], row["tags"]) for row in found] == [(made, {"team": COMPOSED})]
    api.patch(f"/api/instances/{made}", {"tags": {"other": sent}}, "application/json")
    assert api.get("/api/instances", {"tag": f"other:{asked}"}).json()["total"] == 1


@pytest.mark.parametrize("stored", [COMPOSED, DECOMPOSED])
@pytest.mark.parametrize("asked", [COMPOSED, DECOMPOSED])
def test_a_tag_that_release_0_5_stored_is_found_too(
    api: Client, project: Project, stored: str, asked: str
) -> None:
    make(project, tags={"team": stored})
    assert api.get("/api/instances", {"tag": f"team:{asked}"}).json()["total"] == 1
    assert api.get("/api/instances", {"tag": "team:cafe s"}).json()["total"] == 0


@pytest.mark.parametrize(
    ("moment", "seconds"),
    [
        ("2026-06-30T23:59:59Z", 59),
        ("2026-06-30t23:59:59z", 59),
        ("2026-06-30T23:59:60Z", 60),
        ("2026-06-30t23:59:60.000z", 60),
        ("2026-07-01T01:59:60+02:00", 60),
        ("2026-06-30T23:59:59.999999999Z", 59.999999),
        ("2026-06-30T23:59:59+00:00", 59),
        ("2026-06-30T23:59:59-00:00", 59),
    ],
)
def test_a_time_may_be_written_in_every_way_of_rfc_3339(moment: str, seconds: float) -> None:
    told = JobFilter(data={"createdAfter": moment})
    assert told.is_valid(), told.errors
    minute = datetime(2026, 6, 30, 23, 59, tzinfo=UTC)
    assert told.validated_data["createdAfter"] == minute + timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "moment", ["2026-06-30T23:59:61Z", "2026-06-30T23:60:60Z", "2026-06-30T24:00:00Z", "٢026-01-01"]
)
def test_what_is_no_time_is_refused(api: Client, moment: str) -> None:
    answer = api.get("/api/instances", {"createdAfter": moment})
    assert error_of(answer, 400)["validationErrors"][0]["field"] == "createdAfter"
