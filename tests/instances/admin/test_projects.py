"""Projects: what their requests may cost, and the end of everything of theirs."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import AuditEntry, Project
from instances.models import Instance
from instances.services import set_project_limits
from tests.instances.admin.conftest import Make

LIST = "/admin/accounts/project/"
EMPTY = dict.fromkeys(
    [
        *("live_instance_limit", "default_runtime_minutes", "longest_runtime_minutes"),
        *("default_price_usd", "highest_price_usd"),
    ],
    "",
)


def page_of(project: Project) -> str:
    return reverse("admin:accounts_project_change", args=[project.pk])


def end_all(project: Project) -> str:
    return reverse("admin:accounts_project_terminate_all", args=[project.pk])


def limits(project: Project) -> tuple[int | None, ...]:
    project.refresh_from_db()
    return (
        project.live_instance_limit,
        project.default_runtime_minutes,
        project.longest_runtime_minutes,
        project.default_price_e5_usd,
        project.highest_price_e5_usd,
    )


def save(client: Client, project: Project, **values: Any) -> str:
    return client.post(page_of(project), {**EMPTY, **values}, follow=True).content.decode()


def test_limits_are_written_in_minutes_and_dollars_and_the_history_tells_of_it(
    admin_client: Client, project: Project
) -> None:
    save(
        admin_client,
        project,
        live_instance_limit="5",
        default_runtime_minutes="60",
        longest_runtime_minutes="600",
        default_price_usd="0.7",
        highest_price_usd="2.00001",
    )
    assert limits(project) == (5, 60, 600, 70_000, 200_001)
    page = admin_client.get(page_of(project)).content.decode()
    assert 'value="0.70"' in page
    assert 'value="2.00001"' in page
    save(admin_client, project, live_instance_limit="0")
    assert limits(project) == (0, None, None, None, None)
    later, first = AuditEntry.objects.filter(verb="project.limits", subject=project.public_id)
    assert (first.before["live_instance_limit"], first.after["live_instance_limit"]) == (None, 5)
    assert first.after["default_price_e5_usd"] == 70_000
    assert (later.before["live_instance_limit"], later.after["live_instance_limit"]) == (5, 0)
    assert (later.before["highest_price_e5_usd"], later.after["highest_price_e5_usd"]) == (
        *(200_001, None),
    )


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("live_instance_limit", value) for value in ("-1", "1.5", "many")),
        *(("longest_runtime_minutes", value) for value in ("0", "-5", "1.5")),
        *(("default_runtime_minutes", value) for value in ("0", "-5")),
        *(("highest_price_usd", value) for value in ("0", "-1", "NaN", "1e400", "0.000001", "x")),
        *(("default_price_usd", value) for value in ("0", "-1", "Infinity", "123456789")),
    ],
)
def test_what_is_no_limit_is_refused(
    admin_client: Client, project: Project, field: str, value: str
) -> None:
    text = save(admin_client, project, **{field: value})
    assert "errorlist" in text
    assert limits(project) == (None,) * 5


@pytest.mark.parametrize(
    ("default", "most"),
    [
        ({"default_runtime_minutes": "61"}, {"longest_runtime_minutes": "60"}),
        ({"default_price_usd": "0.51"}, {"highest_price_usd": "0.5"}),
    ],
)
def test_a_default_beyond_the_maximum_is_refused(
    admin_client: Client, project: Project, default: dict[str, str], most: dict[str, str]
) -> None:
    assert "above the highest allowed value" in save(admin_client, project, **default, **most)
    assert limits(project) == (None,) * 5


@pytest.mark.parametrize(
    "wrong",
    [{"longest_runtime_minutes": 0}, {"highest_price_e5_usd": 0}, {"live_instance_limit": -1}],
)
def test_a_limit_of_nothing_is_refused(project: Project, wrong: dict[str, int]) -> None:
    """A runtime of 0 minutes once meant for ever."""
    with pytest.raises(ValueError, match="must be positive"):
        set_project_limits(project, **wrong)


def test_a_project_is_made_with_its_limits_and_not_renamed(
    admin_client: Client, project: Project
) -> None:
    admin_client.post(f"{LIST}add/", {**EMPTY, "name": "gamma", "highest_price_usd": "1"})
    assert Project.objects.get(name="gamma").highest_price_e5_usd == 100_000
    save(admin_client, project, name="renamed")
    project.refresh_from_db()
    assert project.name == "alpha"


def test_the_secret_of_a_project_is_not_shown(admin_client: Client, project: Project) -> None:
    Project.objects.update(webhook_secret="whsec_hunter2")
    for path in (LIST, page_of(project)):
        assert "hunter2" not in admin_client.get(path).content.decode()


def test_who_may_only_look_sees_the_limits_and_writes_none(
    viewer: Client, project: Project
) -> None:
    set_project_limits(project, highest_price_e5_usd=123_450)
    text = viewer.get(page_of(project)).content.decode()
    assert "1.2345 USD" in text
    assert end_all(project) not in text
    assert viewer.post(page_of(project), EMPTY).status_code == 403
    assert viewer.get(end_all(project)).status_code == 403
    assert viewer.post(end_all(project), {"name": project.name}).status_code == 403


def test_the_list_tells_how_many_live(
    admin_client: Client, project: Project, other_project: Project, make: Make
) -> None:
    make("running")
    make("stopped")
    make("terminated")
    text = admin_client.get(LIST).content.decode()
    assert '<td class="field-living">2, no limit</td>' in text
    assert '<td class="field-living">0, no limit</td>' in text


# The end of everything


def test_everything_is_ended_by_whoever_types_the_projects_name(
    admin_client: Client, project: Project, other_project: Project, make: Make
) -> None:
    rows = [make("running"), make("running"), make("stopped"), make("failed")]
    spared = [make("running", of=other_project), make("terminated"), make("terminating")]
    asked = admin_client.get(end_all(project)).content.decode()
    assert "4 instances" in asked
    assert "1.40 USD an hour" in asked
    assert all(row.public_id in asked for row in rows)
    assert not any(row.public_id in asked for row in spared)
    answer = admin_client.post(end_all(project), {"name": "alpha"}, follow=True).content.decode()
    assert "4 instances of alpha are being terminated." in answer
    for row in rows:
        row.refresh_from_db()
        assert row.status == "terminating"
        assert row.events.get(to_status="terminating").actor == "operator:admin"
    spared[0].refresh_from_db()
    assert spared[0].status == "running"
    entry = AuditEntry.objects.get(verb="project.terminate_all")
    assert (entry.subject, entry.after) == (project.public_id, {"instances": 4})


@pytest.mark.parametrize("name", ["", "Alpha", "beta", "alpha "])
def test_any_other_name_ends_nothing(
    admin_client: Client, project: Project, make: Make, name: str
) -> None:
    instance = make("running")
    answer = admin_client.post(end_all(project), {"name": name}).content.decode()
    assert "Nothing was terminated" in answer
    instance.refresh_from_db()
    assert instance.status == "running"


def test_where_there_is_nothing_there_is_nothing_to_type(
    admin_client: Client, project: Project
) -> None:
    text = admin_client.get(end_all(project)).content.decode()
    assert "There is nothing to terminate" in text
    assert 'name="name"' not in text


def test_of_many_the_first_are_shown_and_all_are_counted(
    admin_client: Client, project: Project, make: Make
) -> None:
    for _ in range(22):
        make("running")
    text = admin_client.get(end_all(project)).content.decode()
    assert "22 instances" in text
    assert "15.40 USD an hour" in text
    assert "And 2 more." in text
    admin_client.post(end_all(project), {"name": "alpha"})
    assert Instance.objects.filter(status="terminating").count() == 22


# The default limit


def test_a_new_project_is_offered_the_default_limit(admin_client: Client, db: None) -> None:
    page = admin_client.get(f"{LIST}add/").content.decode()
    assert 'name="live_instance_limit" value="20"' in page
    values = {**EMPTY, "name": "fresh", "live_instance_limit": "20"}
    admin_client.post(f"{LIST}add/", values)
    assert Project.objects.get(name="fresh").live_instance_limit == 20


@pytest.mark.parametrize(
    ("limit", "shown"),
    [
        (3, "3 of 3"),
        (2, "<strong>3 of 2 (exceeded)</strong>"),
        (0, "<strong>3 of 0 (exceeded)</strong>"),
    ],
)
def test_the_list_shows_a_limit_that_is_exceeded(
    admin_client: Client, project: Project, make: Make, limit: int, shown: str
) -> None:
    make("running")
    make("stopped")
    make("failed", on_start_failure="keep")
    make("failed")
    set_project_limits(project, live_instance_limit=limit)
    assert f'<td class="field-living">{shown}</td>' in admin_client.get(LIST).content.decode()
