"""What happens to running and stopped instances at Novita is noticed and told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db.models import F

from core.clock import database_now
from instances import reconciliation
from instances.domain.types import Cause
from instances.models import Instance
from instances.services import stop_instance
from jobs.models import Job
from tests.instances.handlers.conftest import HOOK, Service, events
from tests.instances.reconciliation.conftest import kinds, reconcile, reconcile_for, run_one
from tests.support.fakes import DOWN, FakeNovita
from tests.support.messages import told_of

pytestmark = pytest.mark.django_db

AFTER = timedelta(minutes=10)
LONG_AGO = datetime(2026, 2, 1, tzinfo=UTC)


def after(instance: Instance) -> tuple[str, str]:
    instance.refresh_from_db()
    return instance.status, instance.reason_code


def test_a_reclaim_is_told_by_event_and_webhook(service: Service, novita: FakeNovita) -> None:
    instance = run_one(service, novita, webhook_url=HOOK)
    novita.put("up-1", status="exited", spot_status="terminated")
    reconcile()
    event = instance.events.last()
    assert (event.type, event.data["code"]) == ("instance.stopped", "SPOT_RECLAIMED")
    assert told_of(event)[0]["data"]["statusReason"]["code"] == "SPOT_RECLAIMED"


def test_a_deletion_in_the_console_is_believed_after_ten_minutes_of_passes_that_agree(
    novita: FakeNovita, running: Instance
) -> None:
    del novita.instances["up-1"]
    for _ in range(9):
        assert kinds(reconcile()) == ["vanished"]
        assert after(running) == ("running", "NOT_SEEN_AT_NOVITA")
    assert kinds(reconcile(later=timedelta(minutes=2))) == ["followed"]
    assert after(running) == ("terminated", "DELETED_AT_NOVITA")
    assert events(running)[-2:] == ["instance.unseen", "instance.terminated"]
    assert running.upstream_gone_at is not None
    assert running.billing_since is None


def test_an_answer_from_before_a_change_here_changes_nothing(
    service: Service, novita: FakeNovita, running: Instance
) -> None:
    novita.put("up-1", status="exited")
    Instance.objects.update(status_changed_at=F("status_changed_at") - timedelta(minutes=1))
    work = reconciliation.plan_pass()
    seen = reconciliation.scan_account(work)
    stop_instance(public_id=running.public_id, cause=Cause("key:test"))
    reconciliation.apply_pass(work, seen, account=running.upstream_account, cause=Cause("worker"))
    assert after(running) == ("stopping", "")


@pytest.mark.parametrize(
    "left_over",
    [{}, {"spot_reclaim_at": LONG_AGO}, {"spot_status": "terminated"}],
    ids=str,
)
def test_what_stopped_for_want_of_money_says_so(
    novita: FakeNovita, running: Instance, left_over: dict[str, Any]
) -> None:
    Instance.objects.update(spot_status=left_over.get("spot_status", ""))
    novita.put("up-1", status="exited", **left_over)
    novita.balance_e5_usd = -1
    reconcile()
    assert after(running) == ("stopped", "ARREARS")
    assert novita.calls[-1] == "get_balance"


def test_many_that_moved_are_confirmed_by_a_second_list_and_not_one_by_one(
    service: Service, novita: FakeNovita
) -> None:
    instances = [run_one(service, novita, name=f"n{n}") for n in range(15)]
    for each in instances:
        novita.put(each.upstream_id, status="exited", spot_status="terminated")
    novita.calls.clear()
    reconcile()
    assert {after(each) for each in instances} == {("stopped", "SPOT_RECLAIMED")}
    assert novita.calls == ["list_instances", "list_instances", "get_balance"]


def test_a_pass_writes_nothing_over_what_was_seen_after_it_began(
    novita: FakeNovita, running: Instance
) -> None:
    Instance.objects.update(status_changed_at=F("status_changed_at") - timedelta(hours=1))
    novita.put("up-1", status="exited")
    work = reconciliation.plan_pass()
    seen = reconciliation.scan_account(work)
    Instance.objects.update(upstream_seen_at=database_now())
    account = running.upstream_account
    reconciliation.apply_pass(work, seen, account=account, cause=Cause("worker", "a test"))
    assert after(running)[0] == "running"


def test_lists_contradict_nothing_that_changed_here_a_moment_ago(
    service: Service, novita: FakeNovita
) -> None:
    instances = [run_one(service, novita, name=f"n{n}") for n in range(15)]
    for each in instances:
        novita.put(each.upstream_id, status="exited")
    reconcile(ago=timedelta(seconds=5))
    assert {after(each)[0] for each in instances} == {"running"}


def test_an_outage_concludes_nothing_and_says_so(novita: FakeNovita, running: Instance) -> None:
    novita.fail("list_instances", DOWN, times=5)
    report = reconcile()
    assert after(running) == ("running", "")
    assert "could not be listed" in report.note


def test_another_account_s_instances_are_not_searched(
    novita: FakeNovita, running: Instance
) -> None:
    Instance.objects.update(upstream_account="another")
    novita.instances.clear()
    reconcile_for(AFTER)
    assert after(running) == ("running", "")


def test_a_kept_failure_is_observed_until_it_is_gone(service: Service, novita: FakeNovita) -> None:
    instance = service.placed(on_start_failure="keep", webhook_url=HOOK)
    novita.put("up-1", status="exited", status_error_message="no such image")
    service.run("monitor_instance")
    assert after(instance)[0] == "failed"
    assert not Job.objects.live().filter(type="terminate_instance").exists()
    reconcile()
    assert Instance.objects.holding().count() == 1
    novita.instances.clear()
    reconcile()
    assert after(instance) == ("failed", "NOT_SEEN_AT_NOVITA")
    reconcile_for(AFTER)
    assert Instance.objects.holding().count() == 0
    assert instance.events.last().type == "instance.gone"
    assert after(instance)[0] == "failed"


def test_a_pass_costs_its_pages(service: Service, novita: FakeNovita) -> None:
    for n in range(5):
        run_one(service, novita, name=f"n{n}")
    novita.calls.clear()
    reconcile()
    assert novita.calls == ["list_instances"]
