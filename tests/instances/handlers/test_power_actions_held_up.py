"""start_instance, stop_instance, restart_instance: in vain, overtaken or held up."""

from __future__ import annotations

from datetime import timedelta

import pytest

from instances.handlers.power_actions import ChangeInstance
from instances.models import Instance, UpstreamGate
from jobs.models import Job, JobPriority
from tests.instances.conftest import Configure
from tests.instances.handlers.conftest import Service, age
from tests.instances.handlers.power_actions import VIA, act, each_verb, job, ready_for
from tests.support.engine import database_time
from tests.support.fakes import DOWN, FakeNovita
from upstream.errors import InvalidRequest

pytestmark = pytest.mark.django_db


# What can never become true


def test_a_restart_of_what_was_stopped_at_novita_meanwhile_ends_stopped(
    service: Service, novita: FakeNovita
) -> None:
    instance = ready_for(service, novita, "restart")
    novita.put("up-1", status="exited", spot_reclaim_at=database_time())
    act(service, "restart", instance)
    assert (instance.status, instance.reason_code) == ("stopped", "SPOT_RECLAIMED")
    assert (instance.action, job("restart").status) == ("", "completed")


def test_a_restart_that_novita_goes_on_refusing_is_over_at_its_deadline_and_it_runs_on(
    service: Service, novita: FakeNovita
) -> None:
    instance = ready_for(service, novita, "restart")
    novita.fail("restart_instance", InvalidRequest("400 no", status=400), times=9)
    act(service, "restart", instance, times=2)
    assert instance.status == "starting"
    age(instance, start_deadline_at=timedelta(hours=1))
    act(service, "restart", instance)
    assert (instance.status, instance.reason_code) == ("running", "UPSTREAM_REJECTED")
    assert "400 no" in instance.reason_message
    assert (instance.action, job("restart").status) == ("", "completed")
    assert (instance.connection, instance.has_details) == ({"ssh": "ssh://root@h:22"}, True)


def test_a_start_refused_in_words_that_are_not_understood_is_tried_on_until_its_deadline(
    service: Service, novita: FakeNovita
) -> None:
    instance = ready_for(service, novita, "start")
    puzzle = InvalidRequest("400 FLAVOUR: hm", status=400, is_outcome_unknown=True)
    novita.fail("start_instance", puzzle, times=9)
    act(service, "start", instance, times=3)
    assert (instance.status, job("start").status) == ("starting", "pending")
    age(instance, start_deadline_at=timedelta(hours=1))
    act(service, "start", instance)
    assert (instance.status, instance.reason_code) == ("stopped", "UPSTREAM_REJECTED")
    assert "400 FLAVOUR: hm" in instance.reason_message
    assert job("start").status == "completed"


def test_a_start_of_what_stays_frozen_is_over_at_its_deadline(
    service: Service, novita: FakeNovita
) -> None:
    instance = ready_for(service, novita, "start")
    novita.put("up-1", status="freezing")
    act(service, "start", instance, times=2)
    assert instance.status == "starting"
    age(instance, start_deadline_at=timedelta(hours=1))
    act(service, "start", instance)
    assert (instance.status, instance.reason_code) == ("stopped", "ARREARS")
    assert (instance.action, job("start").status) == ("", "completed")


def test_an_outage_over_the_deadline_decides_nothing(service: Service, novita: FakeNovita) -> None:
    instance = ready_for(service, novita, "start")
    age(instance, start_deadline_at=timedelta(hours=1))
    novita.fail("get_instance", DOWN)
    act(service, "start", instance)
    assert (instance.status, job("start").status) == ("starting", "pending")


# Ended, elsewhere, held up


@each_verb
def test_a_job_whose_instance_was_ended_meanwhile_does_nothing(
    service: Service, novita: FakeNovita, verb: str
) -> None:
    instance = ready_for(service, novita, verb)
    service.ask("terminate", instance)
    act(service, verb, instance)
    assert novita.calls == []
    assert (instance.status, instance.action) == ("terminating", "")
    assert job(verb).status == "completed"


@each_verb
def test_an_instance_that_is_ended_while_the_verb_is_sent_stays_ended(
    service: Service, novita: FakeNovita, verb: str
) -> None:
    instance = ready_for(service, novita, verb)
    novita.meanwhile[f"{verb}_instance"] = lambda: service.ask("terminate", instance)
    act(service, verb, instance)
    assert (instance.status, instance.action_accepted_at) == ("terminating", None)
    assert job(verb).status == "completed"


def test_a_job_of_an_earlier_verb_does_not_do_the_later_one(
    service: Service, novita: FakeNovita
) -> None:
    instance = ready_for(service, novita, "restart")
    Instance.objects.update(action="stop", status="stopping")
    act(service, "restart", instance)
    assert (novita.calls, job("restart").status) == ([], "completed")


@each_verb
def test_under_another_account_it_waits(
    service: Service, novita: FakeNovita, configure: Configure, verb: str
) -> None:
    instance = ready_for(service, novita, verb)
    configure(novita_api_base_url="https://elsewhere.example.com")
    act(service, verb, instance, times=2)
    assert (novita.calls, job(verb).status, instance.status) == ([], "pending", VIA[verb])


def test_only_a_stop_passes_an_open_breaker(service: Service, novita: FakeNovita) -> None:
    started, stopping = service.stopped(novita), service.running(novita)
    service.ask("start", started)
    service.ask("stop", stopping)
    UpstreamGate.objects.update(opened_until=database_time(timedelta(hours=1)))
    act(service, "start", started)
    assert (novita.calls, started.status) == ([], "starting")
    act(service, "stop", stopping)
    assert novita.calls == ["get_instance", "stop_instance"]
    assert stopping.action_accepted_at is not None


def test_only_a_stop_may_use_the_calls_that_are_kept_back(
    service: Service, novita: FakeNovita
) -> None:
    started, stopping = service.stopped(novita), service.running(novita)
    service.ask("start", started)
    service.ask("stop", stopping)

    def few_calls_are_left() -> None:
        now = database_time(timedelta(seconds=30))
        UpstreamGate.objects.update(tokens_e3=2000, refilled_at=now)

    few_calls_are_left()
    act(service, "start", started)
    assert novita.calls == []
    few_calls_are_left()
    act(service, "stop", stopping)
    assert novita.calls == ["get_instance", "stop_instance"]


def test_a_stop_goes_before_everything_else(service: Service, novita: FakeNovita) -> None:
    ready_for(service, novita, "stop")
    assert job("stop").priority == JobPriority.CRITICAL


@each_verb
def test_a_job_that_died_for_good_leaves_the_instance_to_monitoring(
    service: Service, novita: FakeNovita, verb: str
) -> None:
    instance = ready_for(service, novita, verb)
    ChangeInstance().on_give_up(job(verb), "The worker died in each of 5 attempts.")
    instance.refresh_from_db()
    assert instance.action_accepted_at is not None
    assert Job.objects.live().filter(type="monitor_instance").count() == 1
