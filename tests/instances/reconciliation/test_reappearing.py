"""What was concluded to be gone and is there: taken back, unless its end was asked for."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.conf import settings
from django.db.models import F

from core.clock import database_now
from instances.domain.enums import EndingDecision
from instances.domain.errors import NotAsked
from instances.domain.types import Cause
from instances.lifecycle.terminations import begin_ending
from instances.models import Instance, UpstreamEnding, UpstreamGate
from instances.services import terminate_all
from jobs.models import Job
from tests.instances.handlers.conftest import CALLER, HOOK, Service, age, events
from tests.instances.reconciliation.conftest import kinds, reconcile, reconcile_for, run_one
from tests.support.fakes import FakeNovita
from tests.support.messages import told_of
from upstream.errors import InvalidRequest
from upstream.types import UpstreamInstance

pytestmark = pytest.mark.django_db

AFTER = timedelta(minutes=10)


def vanish(novita: FakeNovita, instance: Instance) -> UpstreamInstance:
    """Deleted at Novita, as all passes agree for long enough."""
    gone = novita.instances.pop(instance.upstream_id)
    reconcile_for(AFTER)
    instance.refresh_from_db()
    assert not instance.is_holding
    return gone


def show_again(novita: FakeNovita, gone: UpstreamInstance, **fields: object) -> list[str]:
    novita.instances[gone.id] = gone
    novita.put(gone.id, **fields)
    Instance.objects.update(upstream_gone_at=F("upstream_gone_at") - timedelta(minutes=2))
    return kinds(reconcile())


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("running", "running"),
        ("exited", "stopped"),
        ("freezing", "stopped"),
        ("toStart", "starting"),
        ("restarting", "starting"),
        ("stopping", "stopping"),
        ("migrating", "migrating"),
        ("a-word-nobody-knows", "running"),
    ],
)
def test_what_reappears_is_taken_back_as_novita_shows_it(
    service: Service, novita: FakeNovita, word: str, status: str
) -> None:
    instance = run_one(service, novita, webhook_url=HOOK)
    gone = vanish(novita, instance)
    assert "reappeared" in show_again(novita, gone, status=word)
    instance.refresh_from_db()
    assert (instance.status, instance.is_holding, instance.ended_at) == (status, True, None)
    assert (instance.absence_seen_at, instance.reason_code) == (None, "")
    assert events(instance)[-3:] == [
        *("instance.terminated", "instance.reappeared", f"instance.{status}"),
    ]
    assert told_of(instance.events.last())
    assert (UpstreamEnding.objects.count(), novita.calls.count("delete_instance")) == (0, 0)
    assert "reappeared" not in kinds(reconcile())


def test_what_reappears_is_taken_back_by_the_next_pass(
    service: Service, novita: FakeNovita
) -> None:
    instance = run_one(service, novita)
    gone = vanish(novita, instance)
    novita.instances[gone.id] = gone
    assert "reappeared" in kinds(reconcile())
    instance.refresh_from_db()
    assert instance.status == "running"


def test_what_reappears_is_read_again_for_its_connect_blocks(
    service: Service, novita: FakeNovita
) -> None:
    instance = run_one(service, novita)
    show_again(novita, vanish(novita, instance), status="running", ssh_command="ssh root@h")
    service.run("monitor_instance")
    instance.refresh_from_db()
    assert (instance.has_details, instance.status) == (True, "running")


def test_what_reappears_was_charged_all_the_time(service: Service, novita: FakeNovita) -> None:
    instance = run_one(service, novita)
    Instance.objects.update(closed_cost_e5_usd=0, price_e5_usd=36_000, gpu_num=1)
    gone = vanish(novita, instance)
    assert instance.billing_since is None
    last_seen_at = instance.upstream_seen_at
    show_again(novita, gone, status="running")
    instance.refresh_from_db()
    assert instance.billing_since is not None
    assert instance.billing_since <= last_seen_at


def test_a_reappeared_start_has_a_new_deadline(service: Service, novita: FakeNovita) -> None:
    instance = service.placed()
    age(instance, posted_at=timedelta(hours=1), start_deadline_at=timedelta(minutes=1))
    novita.put("up-1", status="pulling")
    service.monitor(instance)
    gone = novita.instances.pop("up-1")
    service.monitor(instance)
    reconcile_for(AFTER)
    instance.refresh_from_db()
    assert (instance.status, instance.reason_code) == ("terminated", "DELETED_AT_NOVITA")
    show_again(novita, gone, status="pulling")
    instance.refresh_from_db()
    assert instance.status == "starting"
    assert instance.start_deadline_at > database_now()


def test_a_kept_failure_that_reappears_is_held_again(service: Service, novita: FakeNovita) -> None:
    instance = service.placed(on_start_failure="keep", webhook_url=HOOK)
    novita.put("up-1", status="exited", status_error_message="no such image")
    service.monitor(instance)
    gone = vanish(novita, instance)
    assert show_again(novita, gone) == ["reappeared"]
    instance.refresh_from_db()
    assert (instance.status, instance.is_holding) == ("failed", True)
    last = instance.events.last()
    assert (last.type, bool(told_of(last))) == ("instance.reappeared", True)
    assert UpstreamEnding.objects.count() == 0


@pytest.mark.parametrize("way", ["delete", "terminate all"])
def test_an_end_that_was_asked_for_after_it_was_gone_is_kept_and_carried_out(
    service: Service, novita: FakeNovita, way: str
) -> None:
    instance = run_one(service, novita)
    gone = vanish(novita, instance)
    if way == "delete":
        assert service.ask("terminate", instance).status == "terminated"
        service.ask("terminate", instance)
    else:
        terminate_all(project=instance.project, cause=CALLER)
    assert UpstreamEnding.objects.get().wish == EndingDecision.CALLER
    assert show_again(novita, gone, status="running") == ["came_back"]
    instance.refresh_from_db()
    assert (instance.status, instance.is_holding) == ("terminating", True)
    assert service.ended(instance).status == "terminated"
    assert novita.instances == {}


def test_a_runtime_that_is_over_meanwhile_ends_what_reappears(
    service: Service, novita: FakeNovita
) -> None:
    instance = run_one(service, novita, max_runtime_minutes=60)
    gone = vanish(novita, instance)
    age(instance, expires_at=timedelta(hours=2))
    show_again(novita, gone, status="running")
    Job.objects.create(type="enforce_limits")
    service.run("enforce_limits")
    instance.refresh_from_db()
    assert (instance.status, instance.endings.get().wish) == ("terminating", "limit")


@pytest.mark.parametrize("pass_", [1, 2, 3, 9])
def test_one_observation_undoes_what_was_not_seen_before_and_tells(
    service: Service, novita: FakeNovita, running: Instance, pass_: int
) -> None:
    gone = novita.instances.pop("up-1")
    for _ in range(pass_):
        reconcile()
    novita.instances["up-1"] = gone
    assert kinds(reconcile()) == []
    running.refresh_from_db()
    assert (running.status, running.reason_code) == ("running", "")
    assert (running.absence_seen_at, running.absence_looks) == (None, 0)
    assert events(running)[-2:] == ["instance.unseen", "instance.seen_again"]


def test_the_reason_from_before_it_was_unseen_is_told_again(
    service: Service, novita: FakeNovita, running: Instance
) -> None:
    novita.put("up-1", status="exited", spot_status="terminated")
    reconcile()
    gone = novita.instances.pop("up-1")
    reconcile()
    running.refresh_from_db()
    assert (running.status, running.reason_code) == ("stopped", "NOT_SEEN_AT_NOVITA")
    novita.instances["up-1"] = gone
    reconcile()
    running.refresh_from_db()
    assert (running.status, running.reason_code) == ("stopped", "SPOT_RECLAIMED")


def test_what_costs_stands_still_while_it_is_unseen(
    service: Service, novita: FakeNovita, running: Instance
) -> None:
    from instances.lifecycle.charges import cost_so_far_e5_usd

    Instance.objects.update(price_e5_usd=36_000)
    gone = novita.instances.pop("up-1")
    reconcile()
    running.refresh_from_db()
    now = database_now()
    later = cost_so_far_e5_usd(running, now + timedelta(hours=1))
    assert later == cost_so_far_e5_usd(running, now)
    novita.instances["up-1"] = gone
    reconcile()
    running.refresh_from_db()
    assert cost_so_far_e5_usd(running, now + timedelta(hours=1)) - later >= 35_000


def test_a_refused_id_in_unknown_words_is_absence_if_whole_lists_agree(
    service: Service, novita: FakeNovita
) -> None:
    gone, other = (run_one(service, novita, name=name) for name in ("gone", "other"))
    del novita.instances[gone.upstream_id]
    odd = InvalidRequest("400 INSTANCE_NOT_EXIST", status=400, refuses_the_id=True)
    novita.fail("get_instance", odd, times=20)
    reconcile_for(AFTER)
    assert [row.status for row in Instance.objects.order_by("pk")] == ["terminated", "running"]
    assert other.upstream_id in novita.instances


def test_an_empty_list_beside_hits_by_id_voids_the_whole_pass(
    service: Service, novita: FakeNovita
) -> None:
    """Twelve live; the list is empty, two answer not-found, ten are found by id."""
    instances = [run_one(service, novita, name=f"n{n}") for n in range(12)]
    hidden = {each.upstream_id for each in instances[:2]}
    gone = {each: novita.instances.pop(each) for each in hidden}
    novita.unlisted.update(each.upstream_id for each in instances)
    for _ in range(4):
        UpstreamGate.objects.all().delete()
        assert kinds(reconcile(later=AFTER)) == ["contradiction"]
    assert not Instance.objects.exclude(absence_seen_at=None).exists()
    novita.instances.update(gone)
    novita.unlisted.clear()
    assert kinds(reconcile()) == []
    assert {row.status for row in Instance.objects.all()} == {"running"}
    assert not Job.objects.filter(type="terminate_instance").exists()


@pytest.mark.parametrize("status", ["starting", "running", "stopping", "stopped", "migrating"])
def test_no_ending_begins_without_a_decision(
    service: Service, novita: FakeNovita, running: Instance, status: str
) -> None:
    Instance.objects.update(status=status)
    running.refresh_from_db()
    with pytest.raises(NotAsked):
        begin_ending(running, "up-1", cause=Cause("worker"), now=database_now())
    begin_ending(running, "up-9", cause=Cause("worker"), now=database_now())
    assert UpstreamEnding.objects.get().wish == EndingDecision.DUPLICATE


def test_a_row_s_own_gpu_under_another_signed_name_is_no_orphan(
    service: Service, novita: FakeNovita, running: Instance
) -> None:
    from instances.novita import client_factory

    novita.put("up-1", name=client_factory.name_signer().name("renamed", "cd" * 10))
    Instance.objects.update(created_at=F("created_at") - timedelta(days=1))
    for _ in range(3):
        assert kinds(reconcile_for(timedelta(minutes=20))) == []
    assert settings.CONFIG.orphan_policy == "terminate"
    assert (Instance.objects.count(), UpstreamEnding.objects.count()) == (1, 0)
