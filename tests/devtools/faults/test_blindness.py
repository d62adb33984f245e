"""Novita is blind for a while, under a virtual clock and with real handlers: nothing is lost."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from accounts.models import Project
from devtools.faults.simulated.service import Service
from devtools.faults.simulated.setup import opened
from devtools.simulator.control_api import ControlApi
from devtools.simulator.http import Request
from instances import services
from instances.domain.types import Cause, InstanceRequest
from instances.models import Instance, UpstreamEnding

pytestmark = pytest.mark.usefixtures("virtual")

CAUSE = Cause("key:test")
# A pass and some seconds for what is slow.
WITHIN = 70.0


class Fleet:
    """Instances that run, and what befalls Novita."""

    def __init__(self, service: Service, project: Project) -> None:
        self.service, self.project = service, project

    def start(self, count: int) -> list[str]:
        names = [
            services.create_instance(
                project=self.project,
                spec=InstanceRequest(
                    name=f"n-{number}",
                    product_name="RTX 4090 24GB",
                    template_id="212",
                    region="US-WEST-01",
                ),
                cause=CAUSE,
            ).instance.public_id
            for number in range(count)
        ]
        self.service.run_for(20)
        return names

    def running(self, count: int) -> list[str]:
        self.control("/stock", {"free": 1000})
        names = self.start(count)
        self.service.run_for(100)
        assert self.statuses() == {"running"}
        self.service.story.clear()
        return names

    def control(self, path: str, body: dict[str, Any], method: str = "POST") -> dict[str, Any]:
        request = Request(method, f"/_sim{path}", body=json.dumps(body).encode())
        answer = ControlApi(self.service.api).handle(request).response
        assert answer.status == 200, answer.body
        return json.loads(answer.body)

    def blind(self, seconds: float, **how: Any) -> None:
        self.control("/blindness", how)
        self.service.run_for(seconds)
        self.control("/blindness", {}, "DELETE")

    def ids(self) -> list[str]:
        return list(Instance.objects.order_by("pk").values_list("upstream_id", flat=True))

    def statuses(self) -> set[str]:
        return set(Instance.objects.values_list("status", flat=True))

    def alive(self) -> int:
        return sum(truth.is_alive for truth in self.service.truth().instances)

    def deletes(self) -> list[str]:
        return [line for line in self.service.story if "instance/delete" in line]


@pytest.fixture
def fleet() -> Iterator[Fleet]:
    service = Service(1, worker_count=1)
    with opened(service, novita_rate_limit=6000, absence_after=240.0) as project:
        yield Fleet(service, project)


ALL = {"list": "empty", "direct": True}
ODD = {"not_found_reason": "ODD_WORD", "not_found_message": "no luck"}


@pytest.mark.parametrize(
    ("count", "words", "how"),
    [
        (2, {}, {"list": "empty"}),
        (1, {}, ALL),
        (2, {}, ALL | {"actions": True}),
        (6, {}, ALL),
        (12, {}, ALL | {"ids": 2}),
        (6, {}, {"list": "normal", "direct": True}),
        (6, {}, {"list": "without", "direct": True, "ids": 2}),
        (1, {"not_found_status": 404}, {"list": "without", "direct": True}),
        (2, {"not_found_reason": "INSTANCE_NOT_EXIST"}, ALL),
        (6, ODD, {"list": "without", "direct": True, "ids": 1}),
        (2, {"not_found_status": 500}, ALL | {"keep_total": True}),
    ],
)
def test_a_fleet_lives_through_a_blindness_of_two_minutes(
    fleet: Fleet, count: int, words: dict[str, Any], how: dict[str, Any]
) -> None:
    fleet.running(count)
    fleet.control("/settings", words)
    hidden = how.get("ids")
    how = how | ({"ids": fleet.ids()[:hidden]} if hidden else {})
    fleet.blind(120, **how)
    assert fleet.statuses() == {"running"}
    fleet.service.run_for(WITHIN)
    assert fleet.statuses() == {"running"}
    assert not Instance.objects.exclude(reason_code="").exists()
    assert (fleet.alive(), fleet.deletes(), UpstreamEnding.objects.count()) == (count, [], 0)


def test_what_a_long_blindness_ended_here_is_taken_back_within_two_passes(fleet: Fleet) -> None:
    fleet.running(2)
    fleet.blind(420, list="empty", direct=True)
    assert fleet.statuses() == {"terminated"}
    fleet.service.run_for(2 * WITHIN)
    assert fleet.statuses() == {"running"}
    assert (fleet.alive(), fleet.deletes(), UpstreamEnding.objects.count()) == (2, [], 0)


@pytest.mark.parametrize("words", [{}, ODD])
def test_what_was_asked_to_end_in_a_blindness_ends_after_it(
    fleet: Fleet, words: dict[str, Any]
) -> None:
    first, *_ = fleet.running(2)
    if words:
        fleet.control("/settings", words)
    services.terminate_instance(public_id=first, cause=CAUSE)
    fleet.blind(120, list="empty", direct=True, actions=True)
    assert fleet.alive() == 2
    fleet.service.run_for(4 * WITHIN)
    assert Instance.objects.get(public_id=first).status == "terminated"
    assert (fleet.alive(), fleet.statuses()) == (1, {"terminated", "running"})


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (1, {"not_found_reason": "INSTANCE_NOT_EXIST", "not_found_message": "instance not exist"}),
        (1, ODD),
        (2, ODD),
        (2, {"not_found_status": 410, "not_found_reason": "GONE_AWAY", "not_found_message": "-"}),
        (2, {"not_found_status": 404, "not_found_reason": "", "not_found_message": "none such"}),
    ],
)
def test_an_ending_completes_in_whatever_words_novita_says_not_found(
    fleet: Fleet, words: dict[str, Any], count: int
) -> None:
    first, *_ = fleet.running(count)
    fleet.control("/settings", words)
    services.terminate_instance(public_id=first, cause=CAUSE)
    # A fleet of one leaves an empty list, which bears a refusal out after ABSENCE_AFTER only.
    fleet.service.run_for(420 if count == 1 else 180)
    assert Instance.objects.get(public_id=first).status == "terminated"
    assert fleet.alive() == count - 1


@pytest.mark.parametrize("preset", ["kong_404", "cloudflare_403", "nginx_502", "html_200"])
def test_a_start_behind_an_edge_that_speaks_for_novita_comes_to_run(
    fleet: Fleet, preset: str
) -> None:
    fleet.control("/settings", {"start_seconds": 60})
    fleet.start(1)
    fleet.control("/faults", {"preset": preset})
    fleet.service.run_for(45)
    assert fleet.statuses() == {"starting"}
    fleet.control("/faults", {}, "DELETE")
    fleet.service.run_for(100)
    assert (fleet.statuses(), fleet.alive(), fleet.deletes()) == ({"running"}, 1, [])


def test_a_deletion_in_the_console_is_told_after_absence_after_in_a_fleet_of_one(
    fleet: Fleet,
) -> None:
    fleet.running(1)
    fleet.control(f"/instances/{fleet.ids()[0]}", {"order": "vanish"})
    fleet.service.run_for(150)
    instance = Instance.objects.get()
    assert (instance.status, instance.reason_code) == ("running", "NOT_SEEN_AT_NOVITA")
    fleet.service.run_for(240)
    instance.refresh_from_db()
    assert (instance.status, instance.reason_code) == ("terminated", "DELETED_AT_NOVITA")
