"""The buttons on instances: what they do, where they are, and who may press them."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.test import Client
from django.urls import reverse

from accounts.models import Project
from core.clock import database_now
from instances.admin.controls import MOST_AT_ONCE
from instances.models import Instance
from jobs.models import Job
from tests.instances.admin.conftest import Make

LIST = "/admin/instances/instance/"
SHOWN = {
    "creating": {"terminate"},
    "starting": {"terminate"},
    "running": {"stop", "restart", "terminate"},
    "stopping": {"terminate"},
    "stopped": {"start", "terminate"},
    "migrating": {"terminate"},
    "failed": {"again", "terminate"},
    "terminating": set(),
    "terminated": set(),
}


def url(verb: str, instance: Instance) -> str:
    return reverse(f"admin:instances_instance_{verb}", args=[instance.pk])


def page(client: Client, instance: Instance) -> str:
    return client.get(
        reverse("admin:instances_instance_change", args=[instance.pk])
    ).content.decode()


def select(client: Client, action: str, *instances: Instance, **data: Any) -> Any:
    chosen = {"action": action, ACTION_CHECKBOX_NAME: [each.pk for each in instances]}
    return client.post(LIST, {**chosen, **data}, follow=True)


@pytest.mark.parametrize("status", list(SHOWN))
def test_only_buttons_that_would_do_something_are_there(
    admin_client: Client, make: Make, status: str
) -> None:
    instance = make(status)
    text = page(admin_client, instance)
    assert {
        verb
        for verb in ("start", "stop", "restart", "again", "terminate")
        if url(verb, instance) in text
    } == SHOWN[status]


@pytest.mark.parametrize(
    ("verb", "status", "after"),
    [
        ("start", "stopped", "starting"),
        ("stop", "running", "stopping"),
        ("restart", "running", "starting"),
        ("terminate", "running", "terminating"),
    ],
)
def test_a_button_is_a_service_under_the_operators_name(
    admin_client: Client, make: Make, verb: str, status: str, after: str
) -> None:
    instance = make(status)
    answer = admin_client.post(url(verb, instance), follow=True).content.decode()
    instance.refresh_from_db()
    assert instance.status == after
    event = instance.events.get(to_status=after)
    assert event.actor == "operator:admin"
    assert "admin" in event.cause
    assert Job.objects.live().filter(type=f"{verb}_instance").count() == 1
    assert str(instance) in answer
    assert 'class="success"' in answer


def test_a_button_that_came_too_late_says_so(admin_client: Client, make: Make) -> None:
    instance = make("failed")
    answer = admin_client.post(url("stop", instance), follow=True).content.decode()
    assert "is failed and cannot stop now" in answer
    instance.refresh_from_db()
    assert instance.status == "failed"


@pytest.mark.parametrize("verb", ["start", "stop", "restart"])
def test_a_link_presses_no_button(admin_client: Client, make: Make, verb: str) -> None:
    instance = make("stopped" if verb == "start" else "running")
    assert admin_client.get(url(verb, instance)).status_code == 405


def test_terminating_is_asked_about_with_its_price_and_what_is_lost(
    admin_client: Client, make: Make
) -> None:
    instance = make("running")
    text = admin_client.get(url("terminate", instance)).content.decode()
    assert "0.70 USD an hour" in text
    assert "its disk will be deleted" in text
    assert instance.public_id in text
    instance.refresh_from_db()
    assert instance.status == "running"


def test_no_such_instance_is_not_found(admin_client: Client) -> None:
    for verb in ("stop", "terminate"):
        path = reverse(f"admin:instances_instance_{verb}", args=[4711])
        assert admin_client.post(path).status_code == 404


# On many


@pytest.mark.parametrize(
    ("action", "status", "after"),
    [
        ("start_selected", "stopped", "starting"),
        ("stop_selected", "running", "stopping"),
        ("restart_selected", "running", "starting"),
    ],
)
def test_an_action_is_done_to_each_that_allows_it_and_the_rest_is_told(
    admin_client: Client, make: Make, action: str, status: str, after: str
) -> None:
    fit, other, unfit, spared = make(status), make(status), make("failed"), make(status)
    answer = select(admin_client, action, fit, other, unfit).content.decode()
    assert "2 instances are" in answer
    assert f"{unfit.public_id} is failed and cannot" in answer
    for instance, expected in ((fit, after), (other, after), (unfit, "failed"), (spared, status)):
        instance.refresh_from_db()
        assert instance.status == expected


def test_terminating_many_is_asked_about_and_ends_exactly_those_that_were_shown(
    admin_client: Client, make: Make
) -> None:
    first, second, spared = make("running"), make("stopped"), make("running")
    asked = select(admin_client, "terminate_selected", first, second).content.decode()
    assert "0.70 USD an hour" in asked
    assert (first.public_id in asked, second.public_id in asked) == (True, True)
    assert spared.public_id not in asked
    first.refresh_from_db()
    assert first.status == "running"
    answer = select(admin_client, "terminate_selected", first, second, confirmed="yes")
    assert "2 instances are being terminated" in answer.content.decode()
    for instance, expected in (
        (first, "terminating"),
        (second, "terminating"),
        (spared, "running"),
    ):
        instance.refresh_from_db()
        assert instance.status == expected


def test_more_than_one_request_may_do_is_told(admin_client: Client, project: Project) -> None:
    fields = {"project": project, "product_name": "a", "gpu_num": 1, "rootfs_size_gb": 60}
    rows = [Instance(name="mine", **fields) for _ in range(MOST_AT_ONCE + 1)]
    Instance.objects.bulk_create(rows)
    answer = select(admin_client, "terminate_selected", rows[0], select_across="1")
    asked = answer.content.decode()
    assert f"Only the first {MOST_AT_ONCE} instances" in asked
    assert sum(row.public_id in asked for row in rows) == MOST_AT_ONCE


# Who may


def test_who_may_only_look_has_no_buttons_and_presses_none(viewer: Client, make: Make) -> None:
    instance = make("running")
    text = page(viewer, instance)
    assert not [verb for verb in ("stop", "restart", "terminate") if url(verb, instance) in text]
    for verb in ("stop", "restart", "terminate"):
        answer = viewer.post(url(verb, instance), follow=True).content.decode()
        assert "You may view instances" in answer
    assert "Terminate?" not in viewer.get(url("terminate", instance), follow=True).content.decode()
    select(viewer, "stop_selected", instance)
    select(viewer, "terminate_selected", instance, confirmed="yes")
    instance.refresh_from_db()
    assert instance.status == "running"


def test_strangers_are_sent_to_the_door(client: Client, make: Make) -> None:
    instance = make("running")
    for verb in ("stop", "terminate"):
        assert client.post(url(verb, instance))["Location"].startswith("/admin/login/")
    instance.refresh_from_db()
    assert instance.status == "running"


# What is shown


def test_the_page_tells_what_it_costs_and_why_it_is_where_it_is(
    admin_client: Client, make: Make
) -> None:
    instance = make(
        "running",
        closed_cost_e5_usd=100_000,
        reason_code="STUCK",
        reason_message="Novita has shown it as toStop.",
        max_price_per_hour_e5_usd=150_000,
        max_runtime_minutes=90,
    )
    text = page(admin_client, instance)
    # An hour of two GPUs at 0.35 USD, and a dollar from before.
    assert "1.70" in text
    assert "1.50 USD" in text
    assert "Novita has shown it as toStop." in text


@pytest.mark.parametrize(
    ("choice", "shown"),
    [
        ("novita=held", {"charged", "held"}),
        ("novita=charged", {"charged"}),
        ("novita=doubt", {"doubt", "posted"}),
        ("status__exact=stopped", {"held"}),
        ("", {"charged", "held", "doubt", "posted", "gone"}),
    ],
)
def test_instances_are_filtered_by_what_there_is_at_novita(
    admin_client: Client, make: Make, choice: str, shown: set[str]
) -> None:
    nothing = {"upstream_id": "", "price_e5_usd": None}
    sent = {**nothing, "posted_at": database_now()}
    rows = {
        "charged": make("running"),
        "held": make("stopped"),
        "doubt": make("creating", create_step="look_up", **sent),
        "posted": make("creating", create_step="post", **sent),
        "gone": make("terminated"),
    }
    text = admin_client.get(f"{LIST}?{choice}").content.decode()
    assert {name for name, row in rows.items() if row.public_id in text} == shown


def test_the_list_tells_what_each_costs_an_hour_now(
    admin_client: Client, make: Make, other_project: Project
) -> None:
    make("running")
    make("stopped", of=other_project)
    text = admin_client.get(LIST).content.decode()
    assert text.count('<td class="field-hourly">0.70</td>') == 1
    assert text.count('<td class="field-hourly">-</td>') == 1
