"""Spot notices and reclaims, as passes over Novita's list show them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db.models import F

from core.clock import iso
from instances.lifecycle.representation import InstanceDetails
from instances.models import Instance
from tests.instances.handlers.conftest import HOOK, Service
from tests.instances.reconciliation.conftest import reconcile, run_one
from tests.support.engine import database_time
from tests.support.fakes import FakeNovita
from tests.support.messages import told_of
from upstream.facts import ALL_FACTS, Fact

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)
NOTICE = "instance.spot_notice"


@pytest.fixture
def spot(service: Service, novita: FakeNovita) -> Instance:
    instance = run_one(service, novita, webhook_url=HOOK)
    novita.put("up-1", spot_status="running")
    reconcile()
    return instance


def told(instance: Instance) -> list[str]:
    types = instance.events.values_list("type", flat=True)
    return [each.removeprefix("instance.") for each in types if "spot_notice" in each]


def in_(minutes: float) -> datetime:
    return database_time(minutes * MINUTE).replace(microsecond=0)


@pytest.mark.parametrize("has_time", [True, False])
def test_a_notice_is_told_once_with_its_time_if_there_is_one(
    novita: FakeNovita, spot: Instance, has_time: bool
) -> None:
    time = in_(60) if has_time else None
    novita.put("up-1", spot_status="notified", spot_reclaim_at=time)
    for _ in range(5):
        reconcile()
    assert told(spot) == ["spot_notice"]
    event = spot.events.get(type=NOTICE)
    assert len(told_of(event)) == 1
    assert event.data == ({"spotReclaimAt": iso(time)} if time else {})
    spot.refresh_from_db()
    assert (spot.status, spot.spot_reclaim_at) == ("running", time)
    details = InstanceDetails.of(spot, now=database_time()).as_json()
    assert ("spotNoticeAt" in details, "spotReclaimAt" in details) == (True, has_time)


def test_a_time_that_comes_later_is_told_once(novita: FakeNovita, spot: Instance) -> None:
    novita.put("up-1", spot_status="notified")
    reconcile()
    time = in_(50)
    novita.put("up-1", spot_reclaim_at=time)
    for _ in range(3):
        reconcile()
    assert told(spot) == ["spot_notice", "spot_notice_updated"]
    assert spot.events.last().data == {"spotReclaimAt": iso(time)}


def test_a_notice_taken_back_is_told_once_though_its_time_is_left_over(
    novita: FakeNovita, spot: Instance
) -> None:
    novita.put("up-1", spot_status="notified", spot_reclaim_at=in_(50))
    reconcile()
    novita.put("up-1", spot_status="running")
    for _ in range(3):
        reconcile()
    assert told(spot) == ["spot_notice", "spot_notice_withdrawn"]
    spot.refresh_from_db()
    assert (spot.spot_noticed_at, spot.spot_reclaim_at) == (None, None)


@pytest.mark.parametrize(
    "unsaid",
    [{Fact.SPOT_STATUS, Fact.SPOT_RECLAIM_TIME}, {Fact.SPOT_STATUS}],
    ids=["status and time", "status"],
)
def test_observations_without_spot_fields_take_no_notice_back(
    service: Service, novita: FakeNovita, spot: Instance, unsaid: set[Fact]
) -> None:
    """A get by id need not carry what the list says of it."""
    novita.put("up-1", spot_status="notified")
    reconcile()
    novita.put("up-1", spot_status="", facts=ALL_FACTS - unsaid)
    Instance.objects.update(details_seen_at=None)
    reconcile()
    service.run("monitor_instance")
    novita.put("up-1", spot_status="notified", facts=ALL_FACTS)
    reconcile()
    assert told(spot) == ["spot_notice"]


def reason(instance: Instance) -> tuple[str, str]:
    instance.refresh_from_db()
    return instance.status, instance.reason_code


@pytest.mark.parametrize(
    ("shown", "code"),
    [
        ({"spot_status": "terminated"}, "SPOT_RECLAIMED"),
        ({"spot_status": "reclaiming"}, "SPOT_RECLAIMED"),
        ({"spot_status": "terminated", "status_error_message": "x"}, "SPOT_RECLAIMED"),
        ({"spot_status": "notified"}, "CHANGED_AT_NOVITA"),
        ({"spot_status": "running"}, "CHANGED_AT_NOVITA"),
        ({"spot_status": ""}, "CHANGED_AT_NOVITA"),
        ({"spot_status": "notified", "status_error_message": "x"}, "CRASHED"),
        ({"spot_status": "terminated", "billing_mode": "onDemand"}, "CHANGED_AT_NOVITA"),
    ],
)
def test_a_stop_with_a_notice_standing_is_a_reclaim_only_by_novitas_word(
    novita: FakeNovita, spot: Instance, shown: dict[str, Any], code: str
) -> None:
    novita.put("up-1", spot_status="notified", spot_reclaim_at=in_(40))
    reconcile()
    novita.put("up-1", status="exited", **shown)
    reconcile()
    assert reason(spot) == ("stopped", code)


def test_a_stop_at_the_time_of_the_notice_is_a_reclaim_whatever_the_word(
    novita: FakeNovita, spot: Instance
) -> None:
    novita.put("up-1", spot_status="notified", spot_reclaim_at=in_(40))
    reconcile()
    Instance.objects.update(spot_reclaim_at=F("spot_reclaim_at") - 41 * MINUTE)
    novita.put("up-1", status="exited", spot_status="", spot_reclaim_at=None)
    reconcile()
    assert reason(spot) == ("stopped", "SPOT_RECLAIMED")


def test_a_reclaim_whose_word_comes_late_is_called_so_where_it_ends(
    service: Service, novita: FakeNovita, spot: Instance
) -> None:
    novita.put("up-1", status="stopping")
    reconcile()
    assert reason(spot) == ("stopping", "CHANGED_AT_NOVITA")
    novita.put("up-1", status="exited", spot_status="terminated")
    service.run("monitor_instance")
    assert reason(spot) == ("stopped", "SPOT_RECLAIMED")


def test_what_a_reclaim_leaves_behind_neither_warns_nor_explains_in_the_next_run(
    service: Service, novita: FakeNovita, spot: Instance
) -> None:
    left = {"spot_status": "terminated", "spot_reclaim_at": in_(-5)}
    novita.put("up-1", status="exited", **left)
    reconcile()
    assert reason(spot) == ("stopped", "SPOT_RECLAIMED")
    novita.put("up-1", status="running", **left)
    reconcile()
    service.run("monitor_instance", times=2)
    assert reason(spot) == ("running", "")
    for _ in range(3):
        reconcile()
    assert told(spot) == []
    novita.put("up-1", status="exited", **left)
    reconcile()
    assert reason(spot) == ("stopped", "CHANGED_AT_NOVITA")
