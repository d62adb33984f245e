"""start, stop, restart: done at Novita exactly as far as that is needed, and never half."""

from __future__ import annotations

from datetime import timedelta

import pytest

from instances.models import UpstreamGate
from jobs.models import Job
from tests.instances.handlers.conftest import Service, events
from tests.instances.handlers.power_actions import (
    LOST,
    REFUSED_KEY,
    SOLD_OUT,
    VIA,
    act,
    each_verb,
    job,
    ready_for,
)
from tests.instances.reconciliation.conftest import reconcile_for
from tests.support.engine import database_time
from tests.support.fakes import DOWN, TOO_MANY, WRONG_STATE, FakeNovita
from upstream.errors import BalanceNotEnough, InvalidRequest, NovitaError

pytestmark = pytest.mark.django_db


# Looks before it acts


@each_verb
def test_it_reads_sends_the_verb_once_and_leaves_the_rest_to_monitoring(
    service: Service, novita: FakeNovita, verb: str
) -> None:
    instance = ready_for(service, novita, verb)
    assert (instance.status, instance.action_accepted_at) == (VIA[verb], None)
    act(service, verb, instance)
    assert novita.calls == ["get_instance", f"{verb}_instance"]
    assert (instance.status, instance.action) == (VIA[verb], verb)
    assert instance.action_accepted_at is not None
    assert job(verb).status == "completed"
    assert Job.objects.live().filter(type="monitor_instance").count() == 1


@pytest.mark.parametrize(
    ("verb", "word"),
    [
        *(("start", word) for word in ("toStart", "starting", "pulling", "running")),
        *(("stop", word) for word in ("toStop", "stopping", "exited", "freezing")),
        *(("restart", word) for word in ("toRestart", "restarting")),
    ],
)
def test_what_is_under_way_already_is_not_asked_for_again(
    service: Service, novita: FakeNovita, verb: str, word: str
) -> None:
    instance = ready_for(service, novita, verb)
    novita.put("up-1", status=word)
    act(service, verb, instance)
    assert novita.calls == ["get_instance"]
    assert (instance.action_accepted_at is not None, job(verb).status) == (True, "completed")


@pytest.mark.parametrize(("verb", "word"), [("start", "stopping"), ("stop", "pulling")])
def test_it_waits_for_a_state_in_which_it_is_possible(
    service: Service, novita: FakeNovita, verb: str, word: str
) -> None:
    instance = ready_for(service, novita, verb)
    novita.put("up-1", status=word)
    act(service, verb, instance, times=3)
    assert novita.calls == ["get_instance"] * 3
    novita.put("up-1", status="exited" if verb == "start" else "running")
    act(service, verb, instance)
    assert novita.calls[-1] == f"{verb}_instance"


@each_verb
def test_running_twice_is_harmless(service: Service, novita: FakeNovita, verb: str) -> None:
    instance = ready_for(service, novita, verb)
    act(service, verb, instance)
    Job.objects.filter(type=f"{verb}_instance").update(status="pending", completed_at=None)
    act(service, verb, instance)
    assert novita.calls.count(f"{verb}_instance") == 1
    assert events(instance).count(f"instance.{VIA[verb]}") == (2 if VIA[verb] == "starting" else 1)


# Odd answers


@each_verb
def test_a_lost_answer_to_a_verb_that_worked_is_followed_by_a_read_and_no_second_verb(
    service: Service, novita: FakeNovita, verb: str
) -> None:
    instance = ready_for(service, novita, verb)
    novita.fail(f"{verb}_instance", LOST, acts=True)
    act(service, verb, instance)
    assert (instance.action_accepted_at, job(verb).status) == (None, "pending")
    act(service, verb, instance)
    assert novita.calls.count(f"{verb}_instance") == 1
    assert (instance.action_accepted_at is not None, job(verb).status) == (True, "completed")


def test_a_restart_that_ended_before_its_lost_answer_is_asked_for_once_more(
    service: Service, novita: FakeNovita
) -> None:
    """Novita's seconds are another clock's: by them a restart might never be sent."""
    instance = ready_for(service, novita, "restart")
    novita.fail("restart_instance", LOST, acts=True)
    act(service, "restart", instance)
    novita.put("up-1", status="running", last_started_at=database_time())
    act(service, "restart", instance)
    assert novita.calls.count("restart_instance") == 2
    act(service, "restart", instance)
    assert novita.calls.count("restart_instance") == 2


@each_verb
def test_a_lost_verb_is_sent_once_more(service: Service, novita: FakeNovita, verb: str) -> None:
    instance = ready_for(service, novita, verb)
    novita.fail(f"{verb}_instance", LOST)
    act(service, verb, instance, times=2)
    assert novita.calls.count(f"{verb}_instance") == 2
    assert job(verb).status == "completed"


@each_verb
def test_a_400_for_the_state_that_worked_all_the_same_is_success(
    service: Service, novita: FakeNovita, verb: str
) -> None:
    instance = ready_for(service, novita, verb)
    novita.fail(f"{verb}_instance", WRONG_STATE, acts=True)
    act(service, verb, instance)
    assert (instance.status, job(verb).status) == (VIA[verb], "pending")
    act(service, verb, instance)
    assert novita.calls.count(f"{verb}_instance") == 1
    assert (instance.action_accepted_at is not None, job(verb).status) == (True, "completed")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (SOLD_OUT, "INSUFFICIENT_RESOURCE"),
        (BalanceNotEnough("400 BALANCE_NOT_ENOUGH", status=400), "UPSTREAM_REJECTED"),
        (InvalidRequest("400 REQUEST", status=400), "UPSTREAM_REJECTED"),
    ],
)
def test_a_start_that_novita_refuses_leaves_it_stopped_with_its_disk_and_says_why(
    service: Service, novita: FakeNovita, error: NovitaError, code: str
) -> None:
    instance = ready_for(service, novita, "start")
    novita.fail("start_instance", error)
    act(service, "start", instance)
    assert (instance.status, instance.reason_code, instance.action) == ("stopped", code, "")
    assert str(error) in instance.reason_message
    event = instance.events.last()
    assert event is not None
    assert (event.type, event.data["code"]) == ("instance.stopped", code)
    assert job("start").status == "completed"
    assert not instance.endings.exists()
    # And may be tried again.
    service.ask("start", instance)
    act(service, "start", instance)
    assert (instance.status, instance.reason_code) == ("starting", "")
    assert instance.action_accepted_at is not None


@each_verb
@pytest.mark.parametrize("endpoint", ["get_instance", None])
@pytest.mark.parametrize("error", [DOWN, REFUSED_KEY, TOO_MANY])
def test_no_outage_refused_key_or_limit_makes_it_give_up(
    service: Service, novita: FakeNovita, verb: str, endpoint: str | None, error: NovitaError
) -> None:
    instance = ready_for(service, novita, verb)
    novita.fail(endpoint or f"{verb}_instance", error, times=6)
    for _ in range(6):
        UpstreamGate.objects.update(opened_until=None, paused_until=None)
        act(service, verb, instance)
    assert (instance.status, instance.action) == (VIA[verb], verb)
    assert (instance.action_accepted_at, job(verb).status) == (None, "pending")
    novita.heal()
    UpstreamGate.objects.update(opened_until=None, paused_until=None)
    act(service, verb, instance)
    assert (instance.action_accepted_at is not None, job(verb).status) == (True, "completed")


def test_a_refused_stop_is_asked_for_until_it_is_taken(
    service: Service, novita: FakeNovita
) -> None:
    instance = ready_for(service, novita, "stop")
    novita.fail("stop_instance", InvalidRequest("400", status=400), times=4)
    act(service, "stop", instance, times=4)
    assert (instance.status, job("stop").status) == ("stopping", "pending")
    act(service, "stop", instance)
    assert job("stop").status == "completed"


@each_verb
def test_what_is_not_there_any_more_is_for_monitoring_to_find_out(
    service: Service, novita: FakeNovita, verb: str
) -> None:
    instance = ready_for(service, novita, verb)
    novita.instances.clear()
    act(service, verb, instance)
    assert (instance.status, job(verb).status) == (VIA[verb], "completed")
    service.monitor(instance)
    assert instance.status == VIA[verb]
    assert instance.reason_code == "NOT_SEEN_AT_NOVITA"
    reconcile_for(timedelta(minutes=10))
    instance.refresh_from_db()
    assert (instance.status, instance.reason_code) == ("terminated", "DELETED_AT_NOVITA")
