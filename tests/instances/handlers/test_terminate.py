"""terminate_instance: until absence is certain, however often it fails."""

from __future__ import annotations

from datetime import timedelta

import pytest

from core.clock import database_now
from instances.domain.types import Cause
from instances.lifecycle.terminations import begin_ending
from instances.models import Instance, UpstreamEnding, UpstreamGate
from jobs.models import Job, JobPriority
from tests.instances.conftest import Configure
from tests.instances.handlers.conftest import Service, age, events, let_ten_seconds_pass
from tests.support.engine import database_time
from tests.support.fakes import DOWN, FakeNovita
from upstream.errors import AuthenticationFailed, InstanceNotFound, InvalidStateChange

pytestmark = pytest.mark.django_db

CAUSE = Cause("worker", reason="a test")


@pytest.fixture
def instance(service: Service, novita: FakeNovita) -> Instance:
    placed = service.placed()
    # Old enough for its absence to mean something.
    age(placed, posted_at=timedelta(minutes=2))
    placed.refresh_from_db()
    novita.calls.clear()
    service.ask("terminate", placed)
    begin_ending(placed, "up-1", cause=CAUSE, now=database_now())
    return placed


def ending() -> UpstreamEnding:
    return UpstreamEnding.objects.get()


def terminate(service: Service, *, times: int = 1) -> UpstreamEnding:
    service.run("terminate_instance", times=times)
    return ending()


def job() -> Job:
    return Job.objects.get(type="terminate_instance")


def test_it_goes_before_everything_else(instance: Instance) -> None:
    assert (job().priority, job().status) == (JobPriority.CRITICAL, "pending")


def test_ending_the_same_gpu_twice_is_ending_it_once(instance: Instance) -> None:
    begin_ending(instance, "up-1", cause=CAUSE, now=database_now())
    assert job().rerun is False
    assert events(instance).count("instance.ending_begun") == 1


def test_it_is_over_when_two_reads_ten_seconds_apart_find_nothing(
    service: Service, novita: FakeNovita, instance: Instance
) -> None:
    assert terminate(service).absence_seen_at is None
    assert novita.calls == ["get_instance", "delete_instance"]
    assert terminate(service).absence_seen_at is not None
    assert terminate(service).confirmed_at is None
    let_ten_seconds_pass()
    assert terminate(service).confirmed_at is not None
    assert job().status == "completed"
    assert events(instance)[-2:] == ["instance.ending_confirmed", "instance.terminated"]


def test_what_is_being_removed_is_not_deleted_again(
    service: Service, novita: FakeNovita, instance: Instance
) -> None:
    novita.put("up-1", status="removing")
    assert terminate(service).absence_seen_at is None
    assert novita.calls == ["get_instance"]
    novita.put("up-1", status="removed")
    assert terminate(service).absence_seen_at is not None


def test_a_delete_that_finds_nothing_proves_nothing(
    service: Service, novita: FakeNovita, instance: Instance
) -> None:
    novita.fail("delete_instance", InstanceNotFound("404", status=404))
    assert terminate(service).absence_seen_at is None


def test_what_comes_back_counts_anew(
    service: Service, novita: FakeNovita, instance: Instance
) -> None:
    gone = novita.instances.pop("up-1")
    assert terminate(service).absence_seen_at is not None
    novita.instances["up-1"] = gone
    assert terminate(service).absence_seen_at is None
    let_ten_seconds_pass()
    assert terminate(service).confirmed_at is None


def test_an_error_between_two_reads_keeps_the_first(
    service: Service, novita: FakeNovita, instance: Instance
) -> None:
    novita.instances.clear()
    terminate(service)
    novita.fail("get_instance", DOWN)
    assert terminate(service).absence_seen_at is not None
    let_ten_seconds_pass()
    assert terminate(service).confirmed_at is not None


@pytest.mark.parametrize(
    "error",
    [DOWN, AuthenticationFailed("401", status=401), InvalidStateChange("400", status=400)],
)
@pytest.mark.parametrize("endpoint", ["get_instance", "delete_instance"])
def test_no_error_makes_it_give_up(
    service: Service, novita: FakeNovita, instance: Instance, endpoint: str, error: Exception
) -> None:
    novita.fail(endpoint, error, times=20)
    found = terminate(service, times=20)
    assert (job().status, found.confirmed_at, found.absence_seen_at) == ("pending", None, None)
    assert str(error) in found.last_error
    novita.heal()
    terminate(service, times=2)
    let_ten_seconds_pass()
    assert terminate(service).confirmed_at is not None


def test_an_open_breaker_does_not_stop_it(
    service: Service, novita: FakeNovita, instance: Instance
) -> None:
    UpstreamGate.objects.update(opened_until=database_time(timedelta(hours=1)), tokens_e3=2000)
    terminate(service)
    assert novita.calls == ["get_instance", "delete_instance"]


def test_under_another_account_absence_proves_nothing(
    service: Service, novita: FakeNovita, instance: Instance, configure: Configure
) -> None:
    configure(novita_api_base_url="https://elsewhere.example.com")
    novita.instances.clear()
    assert terminate(service, times=3).absence_seen_at is None
    assert (novita.calls, job().status) == ([], "pending")


def test_what_was_made_a_moment_ago_and_never_seen_is_not_proven_absent(
    service: Service, novita: FakeNovita, instance: Instance
) -> None:
    age(instance, posted_at=-timedelta(minutes=2))
    late = novita.instances.pop("up-1")
    for _ in range(3):
        assert terminate(service).absence_seen_at is None
        let_ten_seconds_pass()
    novita.instances["up-1"] = late
    terminate(service)
    assert novita.instances == {}


def test_once_confirmed_there_is_nothing_to_do(
    service: Service, novita: FakeNovita, instance: Instance
) -> None:
    UpstreamEnding.objects.update(confirmed_at=database_time())
    terminate(service)
    assert (novita.calls, job().status) == ([], "completed")
