"""GET /api/instances: cursors, and whose they are."""

from datetime import timedelta

import pytest
from django.test import Client

from accounts.models import Project
from accounts.services import create_api_key
from instances.models import Instance
from jobs.models import Job
from tests.conftest import client_of
from tests.instances.api.refusals import error_of
from tests.instances.api.test_list import BORN, listed, several

__all__ = ["several"]


def cursor_of(api: Client, query: str) -> str:
    cursor: str = api.get(f"/api/instances?limit=2&{query}").json()["nextCursor"]
    return cursor


def test_a_cursor_outlives_its_row(api: Client, several: None, project: Project) -> None:
    cursor = cursor_of(api, "sort=createdAt")
    last = Instance.objects.of(project).order_by("created_at", "pk")[1]
    Instance.objects.filter(pk=last.pk).update(created_at=BORN + timedelta(days=99))
    assert listed(api, f"sort=createdAt&cursor={cursor}") == ["Beta_1", "a", "c", "a"]


def test_a_list_of_jobs_goes_on_where_a_pruned_job_was(api: Client, several: None) -> None:
    first = api.get("/api/jobs?limit=2").json()
    Job.objects.filter(public_id=first["jobs"][-1]["id"]).delete()
    rest = api.get(f"/api/jobs?cursor={first['nextCursor']}").json()
    assert len(rest["jobs"]) == 3


@pytest.mark.parametrize(
    ("made_for", "used_for"),
    [
        ("sort=name", "sort=-name"),
        ("", "sort=name"),
        ("tag=team", ""),
        ("", "tag=team"),
        ("status=starting,stopped", "status=starting"),
    ],
)
def test_a_cursor_is_of_its_sort_and_filters_only(
    api: Client, several: None, made_for: str, used_for: str
) -> None:
    cursor = cursor_of(api, made_for)
    error = error_of(api.get(f"/api/instances?{used_for}&cursor={cursor}"), 400)
    (entry,) = error["validationErrors"]
    assert entry["field"] == "cursor"
    assert "another sort or other filters" in entry["message"]


def test_a_cursor_is_of_its_project_and_list_only_and_the_refusal_says_which(
    api: Client, several: None, other_project: Project
) -> None:
    cursor = cursor_of(api, "")
    theirs = client_of(create_api_key(project=other_project, name="theirs"))
    for client, path, reason in (
        (theirs, "/api/instances", "another project"),
        (api, "/api/jobs", "another list"),
    ):
        (entry,) = error_of(client.get(f"{path}?cursor={cursor}"), 400)["validationErrors"]
        assert reason in entry["message"]


def test_a_cursor_that_was_changed_is_none_of_ours(api: Client, several: None) -> None:
    cursor = cursor_of(api, "")
    for wrong in (cursor[:-4], cursor[4:], cursor.swapcase(), cursor + "AAAA", "A", "A" * 599):
        (entry,) = error_of(api.get(f"/api/instances?cursor={wrong}"), 400)["validationErrors"]
        assert entry["message"] == "cursor must be the nextCursor of an earlier page"


def test_the_length_of_a_page_may_change_on_the_way(api: Client, several: None) -> None:
    cursor = cursor_of(api, "sort=createdAt")
    assert listed(api, f"sort=createdAt&limit=1&cursor={cursor}") == ["Beta_1"]
