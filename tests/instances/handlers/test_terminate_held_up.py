"""An ending that Novita holds up: told, charged by Novita's last word, and never given up."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db.models import F

from instances.lifecycle import spend_rate
from instances.models import Instance, UpstreamEnding
from tests.instances.handlers.conftest import Service, events
from tests.support.fakes import DOWN, FakeNovita
from upstream.errors import (
    BlankAnswer,
    EdgeAnswered,
    InstanceNotFound,
    InvalidRequest,
    NovitaError,
    UnreadableAnswer,
)

pytestmark = pytest.mark.django_db

ODD = InvalidRequest("400 ODD_WORD: no luck", status=400, refuses_the_id=True)
MOMENTS = ("absence_seen_at", "refused_since", "list_without_at", "error_since")


def run_again(service: Service, *, later: int = 0) -> UpstreamEnding:
    """One run, so many seconds after the one before."""
    span = timedelta(seconds=later)
    UpstreamEnding.objects.update(**{name: F(name) - span for name in MOMENTS})
    service.run("terminate_instance")
    return UpstreamEnding.objects.get(upstream_id="up-1")


@pytest.fixture
def ending(service: Service, novita: FakeNovita) -> Instance:
    instance = service.running(novita)
    service.ask("terminate", instance)
    return instance


def test_deletes_that_novita_takes_and_ignores_are_told_and_charged(
    service: Service, novita: FakeNovita, ending: Instance
) -> None:
    shown = novita.instances["up-1"]
    for _ in range(3):
        found = run_again(service)
        novita.instances["up-1"] = shown
    assert "Novita accepted 3 deletes and still says running" in found.last_error
    ending.refresh_from_db()
    assert ending.billing_since is not None
    hourly = spend_rate.SpendRate((ending.price_e5_usd or 0) * ending.gpu_num)
    assert (spend_rate.of(ending), spend_rate.of_ending(found), spend_rate.of_project()) == (
        hourly,
    ) * 3
    assert Instance.objects.filter(spend_rate.CHARGED).count() == 1


def test_what_is_leaving_is_charged_no_more(
    service: Service, novita: FakeNovita, ending: Instance
) -> None:
    shown = novita.instances["up-1"]
    run_again(service)
    novita.instances["up-1"] = shown
    novita.put("up-1", status="removing")
    found = run_again(service)
    ending.refresh_from_db()
    assert (ending.billing_since, spend_rate.of_project(), found.last_error) == (
        None,
        spend_rate.SpendRate(),
        "",
    )


@pytest.mark.parametrize("error", [ODD, BlankAnswer("no instance in it")])
def test_a_refused_id_is_deleted_all_the_same_and_ends_by_refusals_and_lists(
    service: Service, novita: FakeNovita, ending: Instance, error: NovitaError
) -> None:
    novita.put("up-9", name="another", status="running")
    novita.fail("get_instance", error, times=9)
    run_again(service)
    assert novita.calls == ["get_instance", "delete_instance"]
    for later in (15, 15):
        assert run_again(service, later=later).confirmed_at is None
    found = run_again(service, later=40)
    assert found.confirmed_at is not None
    ending.refresh_from_db()
    assert (ending.status, set(novita.instances)) == ("terminated", {"up-9"})


def test_what_a_get_says_is_gone_and_the_list_shows_is_deleted_all_the_same(
    service: Service, novita: FakeNovita, ending: Instance
) -> None:
    novita.put("up-9", name="another", status="running")
    novita.fail("get_instance", InstanceNotFound("400 INSTANCE_NOT_EXIST", status=400), times=9)
    run_again(service)
    assert "delete_instance" not in novita.calls
    assert run_again(service, later=15).confirmed_at is None
    assert (novita.calls.count("delete_instance"), set(novita.instances)) == (1, {"up-9"})
    assert run_again(service, later=15).confirmed_at is not None
    ending.refresh_from_db()
    assert ending.status == "terminated"


def test_what_was_made_a_moment_ago_is_not_gone_for_being_refused(
    service: Service, novita: FakeNovita
) -> None:
    service.ask("terminate", service.placed())
    novita.put("up-9", name="another", status="running")
    fresh = novita.instances.pop("up-1")
    novita.fail("get_instance", ODD, times=9)
    for _ in range(5):
        assert run_again(service, later=30).confirmed_at is None
    novita.instances["up-1"] = fresh
    run_again(service)
    assert set(novita.instances) == {"up-9"}


def test_what_novita_goes_on_answering_is_told_with_count_and_since_when(
    service: Service, novita: FakeNovita, ending: Instance
) -> None:
    novita.fail("get_instance", ODD, times=9)
    novita.fail("delete_instance", DOWN, times=9)
    for later in (0, 60, 60):
        run_again(service, later=later)
    assert "instance.ending_held_up" not in events(ending)
    UpstreamEnding.objects.update(created_at=F("created_at") - timedelta(minutes=5))
    found = run_again(service, later=60)
    assert "400 ODD_WORD: no luck" in found.last_error
    assert "3 times since 20" in found.last_error
    ending.refresh_from_db()
    assert (ending.status, ending.reason_code) == ("terminating", "ENDING_HELD_UP")
    assert events(ending).count("instance.ending_held_up") == 1
    run_again(service, later=60)
    assert events(ending).count("instance.ending_held_up") == 1


@pytest.mark.parametrize("error", [DOWN, EdgeAnswered("404 no Route matched", status=404)])
def test_while_the_list_fails_no_absence_is_believed(
    service: Service, novita: FakeNovita, ending: Instance, error: Exception
) -> None:
    del novita.instances["up-1"]
    run_again(service)
    novita.fail("list_instances", error, times=9)  # type: ignore[arg-type]
    for _ in range(3):
        found = run_again(service, later=3600)
    assert found.confirmed_at is None
    assert "list fails" in found.last_error
    novita.heal()
    assert run_again(service, later=10).confirmed_at is not None


EDGE = EdgeAnswered("404 no Route matched", status=404)


def test_lists_end_what_no_get_by_id_reaches(
    service: Service, novita: FakeNovita, ending: Instance
) -> None:
    """Something in front of Novita answers that one route; the lists are Novita's own."""
    novita.put("up-9", name="another", status="running")
    novita.fail("get_instance", EDGE, times=99)
    UpstreamEnding.objects.update(created_at=F("created_at") - timedelta(minutes=6))
    run_again(service)
    assert novita.calls.count("delete_instance") == 0
    run_again(service, later=15)
    assert novita.calls.count("delete_instance") == 1
    for _ in range(20):
        assert run_again(service, later=30).confirmed_at is None
    assert run_again(service, later=30).confirmed_at is not None


def test_a_list_that_cannot_be_read_delays_novitas_word_and_does_not_void_it(
    service: Service, novita: FakeNovita, ending: Instance
) -> None:
    del novita.instances["up-1"]
    run_again(service)
    novita.fail("list_instances", UnreadableAnswer("a form"), times=9)
    assert run_again(service, later=60).confirmed_at is None
    assert run_again(service, later=600).confirmed_at is not None


def test_a_list_that_shows_nothing_of_what_lives_is_blind(
    service: Service, novita: FakeNovita, ending: Instance
) -> None:
    other = service.running(novita)
    novita.unlisted.add(other.upstream_id)
    del novita.instances["up-1"]
    run_again(service)
    assert run_again(service, later=60).confirmed_at is None
    novita.unlisted.clear()
    assert run_again(service, later=10).confirmed_at is not None


def test_endings_that_are_gone_share_a_list(service: Service, novita: FakeNovita) -> None:
    rows = [service.running(novita) for _ in range(4)]
    for row in rows:
        service.ask("terminate", row)
    novita.instances.clear()
    run_again(service)
    novita.calls.clear()
    run_again(service, later=20)
    assert novita.calls == ["list_instances", *["get_instance"] * 4]
    assert not UpstreamEnding.objects.filter(confirmed_at=None).exists()
