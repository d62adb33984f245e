"""What Novita reports while an instance lives: shown, told, and no end by itself."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from instances.lifecycle.representation import InstanceDetails
from instances.models import Instance
from tests.instances.handlers.conftest import HOOK, Service, age, events
from tests.instances.reconciliation.conftest import kinds, reconcile
from tests.support.engine import database_time
from tests.support.fakes import FakeNovita
from tests.support.messages import told_of
from upstream.facts import ALL_FACTS, Fact
from upstream.parsers.items import read_instance

pytestmark = pytest.mark.django_db

LONG = timedelta(minutes=3)
BACK_OFF = 'Back-off pulling image "ubuntu:latest"'


@pytest.fixture
def pulling(service: Service, novita: FakeNovita) -> Instance:
    instance = service.placed(webhook_url=HOOK)
    novita.put("up-1", status="pulling", status_error_message=BACK_OFF)
    return instance


def reason(instance: Instance) -> Any:
    instance.refresh_from_db()
    return InstanceDetails.of(instance, now=database_time()).as_json().get("statusReason")


def trouble(instance: Instance) -> list[str]:
    return [each for each in events(instance) if "trouble" in each]


@pytest.mark.parametrize("word", ["pending", "toCreate", "creating", "pulling"])
@pytest.mark.parametrize(
    ("shown", "words"),
    [
        ({"state": "ImagePullBackOff", "message": BACK_OFF}, BACK_OFF),
        ({"state": "ImagePullBackOff", "message": ""}, "ImagePullBackOff"),
        ({"state": "ImagePullBackOff"}, "ImagePullBackOff"),
        ({"message": BACK_OFF}, BACK_OFF),
        (BACK_OFF, BACK_OFF),
        ([{"state": "", "message": ""}, {"message": BACK_OFF}], BACK_OFF),
        ([BACK_OFF], BACK_OFF),
    ],
    ids=str,
)
def test_an_error_on_the_way_is_shown_and_heals(
    service: Service, novita: FakeNovita, word: str, shown: Any, words: str
) -> None:
    instance = service.placed(webhook_url=HOOK)
    seen = read_instance({"id": "up-1", "status": word, "statusError": shown})
    assert seen is not None
    novita.instances["up-1"] = seen
    assert service.monitor(instance).status == "starting"
    assert reason(instance) == {"code": "STARTUP_TROUBLE", "message": f"Novita: {words}"}
    event = instance.events.last()
    assert (event.type, event.data["message"]) == ("instance.trouble", f"Novita: {words}")
    assert told_of(event)[0]["data"]["statusReason"]["code"] == "STARTUP_TROUBLE"
    healed = read_instance({"id": "up-1", "status": word, "statusError": None})
    assert healed is not None
    novita.instances["up-1"] = healed
    service.monitor(instance)
    assert reason(instance) is None
    assert trouble(instance) == ["instance.trouble", "instance.trouble_over"]
    novita.put("up-1", status="running", ssh_command="ssh root@h")
    assert service.monitor(instance).status == "running"
    assert not instance.endings.exists()


@pytest.mark.parametrize("shown", [None, {}, "", [], {"state": "", "message": None}, 0, True])
def test_no_error_is_no_event(service: Service, novita: FakeNovita, shown: Any) -> None:
    instance = service.placed()
    seen = read_instance({"id": "up-1", "status": "pulling", "statusError": shown})
    assert seen is not None
    novita.instances["up-1"] = seen
    service.monitor(instance)
    assert (reason(instance), trouble(instance)) == (None, [])


def test_an_error_that_lasts_for_observations_and_time_ends_the_start(
    service: Service, novita: FakeNovita, pulling: Instance
) -> None:
    service.monitor(pulling, times=2)
    age(pulling, trouble_since=LONG)
    assert pulling.status == "starting"
    service.monitor(pulling)
    assert (pulling.status, pulling.error_code) == ("failed", "STARTUP_FAILED")
    assert BACK_OFF in pulling.error_message
    assert pulling.endings.get().upstream_id == "up-1"


@pytest.mark.parametrize(("observations", "ago"), [(9, timedelta(0)), (1, LONG)])
def test_an_error_seen_often_in_a_short_time_or_once_ends_nothing(
    service: Service, novita: FakeNovita, pulling: Instance, observations: int, ago: timedelta
) -> None:
    service.monitor(pulling, times=observations)
    age(pulling, trouble_since=ago)
    service.monitor(pulling)
    assert pulling.status == "starting"


def test_an_error_that_healed_meanwhile_counts_anew(
    service: Service, novita: FakeNovita, pulling: Instance
) -> None:
    service.monitor(pulling, times=3)
    age(pulling, trouble_since=LONG)
    novita.put("up-1", status_error_message="")
    service.monitor(pulling)
    novita.put("up-1", status_error_message=BACK_OFF)
    assert service.monitor(pulling, times=3).status == "starting"


def test_an_answer_that_does_not_speak_of_errors_neither_heals_nor_ends(
    service: Service, novita: FakeNovita, pulling: Instance
) -> None:
    service.monitor(pulling)
    novita.put("up-1", status_error_message="", facts=ALL_FACTS - {Fact.STATUS_ERROR})
    service.monitor(pulling, times=3)
    assert reason(pulling)["code"] == "STARTUP_TROUBLE"
    assert trouble(pulling) == ["instance.trouble"]
    age(pulling, trouble_since=LONG)
    assert service.monitor(pulling).status == "starting"


def test_texts_that_change_at_every_observation_are_told_a_few_times(
    service: Service, novita: FakeNovita, pulling: Instance
) -> None:
    for number in range(12):
        novita.put("up-1", status_error_message=f"try {number} of {'abcdefghijkl'[number]}")
        service.monitor(pulling)
    assert trouble(pulling) == ["instance.trouble"] * 5
    assert reason(pulling)["message"] == "Novita: try 11 of l"


def test_an_error_that_comes_and_goes_is_told_once(
    service: Service, novita: FakeNovita, pulling: Instance
) -> None:
    for number in range(4):
        novita.put("up-1", status_error_message=f"Back-off, again in {number} s")
        service.monitor(pulling)
        novita.put("up-1", status_error_message="")
        service.monitor(pulling)
    assert trouble(pulling) == ["instance.trouble", "instance.trouble_over"]


def test_the_start_deadline_says_what_was_reported(
    service: Service, novita: FakeNovita, pulling: Instance
) -> None:
    age(pulling, start_deadline_at=timedelta(hours=1))
    service.monitor(pulling)
    assert pulling.error_code == "STARTUP_TIMEOUT"
    assert BACK_OFF in pulling.error_message


def test_an_error_of_what_runs_is_shown_and_nothing_follows(
    service: Service, novita: FakeNovita
) -> None:
    instance = service.running(novita, webhook_url=HOOK)
    novita.put("up-1", status_error_message="disk pressure")
    for _ in range(3):
        reconcile()
    assert reason(instance) == {"code": "NOVITA_REPORTS", "message": "Novita: disk pressure"}
    assert instance.status == "running"
    novita.put("up-1", status_error_message="")
    reconcile()
    assert reason(instance) is None
    assert trouble(instance) == ["instance.trouble", "instance.trouble_over"]


# Words that are not known


def test_an_unknown_word_of_what_runs_is_told_and_never_passes_as_good(
    service: Service, novita: FakeNovita
) -> None:
    instance = service.running(novita, webhook_url=HOOK)
    novita.put("up-1", status="hibernating")
    assert [kinds(reconcile()) for _ in range(3)] == [["unknown_word"]] * 3
    found = reason(instance)
    assert (instance.status, found["code"]) == ("running", "UNKNOWN_STATUS")
    assert "hibernating" in found["message"]
    assert instance.connection
    novita.put("up-1", status="running")
    assert kinds(reconcile()) == []
    assert trouble(instance) == ["instance.trouble", "instance.trouble_over"]


def test_an_unknown_word_on_the_way_ends_nothing_before_the_deadline(
    service: Service, novita: FakeNovita
) -> None:
    instance = service.placed()
    novita.put("up-1", status="hibernating")
    service.monitor(instance)
    age(instance, upstream_changed_at=timedelta(hours=1))
    assert service.monitor(instance, times=3).status == "starting"
    assert reason(instance)["code"] == "UNKNOWN_STATUS"
    novita.put("up-1", status="running")
    assert service.monitor(instance).status == "running"
    assert reason(instance) is None


def test_a_removal_that_nobody_asked_for_is_told_while_it_lasts(
    service: Service, novita: FakeNovita
) -> None:
    instance = service.running(novita)
    novita.put("up-1", status="toRemove")
    reconcile()
    assert (reason(instance)["code"], instance.status) == ("LEAVING", "running")
