"""GPUs with our signature that no row holds."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.conf import settings
from django.db.models import F

from instances.lifecycle.charges import CHARGED_WORDS
from instances.models import Instance, Orphan, ReconcileRun, UpstreamEnding
from instances.novita.name_signing import NameSigner
from jobs.models import Job
from tests.instances.conftest import Configure
from tests.instances.handlers.conftest import HOOK, Service, events
from tests.instances.reconciliation.conftest import kinds, reconcile, signed_name
from tests.support.fakes import TIMED_OUT, FakeNovita
from tests.support.messages import told_of

pytestmark = pytest.mark.django_db


def age_orphans() -> None:
    Orphan.objects.update(first_seen_at=F("first_seen_at") - timedelta(minutes=16))


def test_an_orphan_is_left_alone_for_its_grace_and_then_ended(
    service: Service, novita: FakeNovita
) -> None:
    novita.put("lost-1", name=signed_name(), status="running", gpu_num=2, price_e5_usd=35_000)
    assert kinds(reconcile()) == ["orphan"]
    assert Instance.objects.count() == 0
    age_orphans()
    assert kinds(reconcile()) == ["orphan_ended"]
    instance = Instance.objects.get()
    assert (instance.status, instance.reason_code) == ("terminating", "ORPHANED")
    assert (instance.project.name, instance.name, instance.upstream_id) == (
        *("default", "lost", "lost-1"),
    )
    service.run("terminate_instance")
    assert "lost-1" not in novita.instances


def test_the_policy_may_adopt_it_instead(
    service: Service, novita: FakeNovita, configure: Configure
) -> None:
    configure(orphan_policy="adopt", orphan_grace=0, report_webhook_url=HOOK)
    novita.put("lost-1", name=signed_name(), status="running")
    reconcile()
    instance = Instance.objects.get()
    assert (instance.status, events(instance)) == ("running", ["instance.running"])
    assert [told_of(event)[0]["type"] for event in instance.events.filter(type="instance.running")]
    assert kinds(reconcile()) == []
    assert UpstreamEnding.objects.count() == 0


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("pulling", "starting"),
        ("toStop", "stopping"),
        ("exited", "stopped"),
        ("freezing", "stopped"),
        ("migrating", "migrating"),
        ("hibernating", "running"),
    ],
)
def test_an_adopted_orphan_is_what_novita_shows_and_is_not_ended_for_it(
    service: Service, novita: FakeNovita, configure: Configure, word: str, status: str
) -> None:
    configure(orphan_policy="adopt", orphan_grace=0)
    novita.put("lost-1", name=signed_name(), status=word)
    reconcile()
    instance = Instance.objects.get()
    assert (instance.status, instance.upstream_status) == (status, word)
    assert (instance.billing_since is not None) is (word in CHARGED_WORDS)
    novita.put("lost-1", status="exited" if word == "toStop" else word)
    service.monitor(instance, times=2)
    assert UpstreamEnding.objects.count() == 0


def test_the_policy_may_only_report_it(novita: FakeNovita, configure: Configure) -> None:
    configure(orphan_policy="report", orphan_grace=0)
    novita.put("lost-1", name=signed_name(), status="running")
    for _ in range(3):
        assert kinds(reconcile()) == ["orphan"]
    assert (Instance.objects.count(), Orphan.objects.get().state) == (0, "seen")


def test_two_orphans_of_one_reference_become_one_row_and_a_double(
    service: Service, novita: FakeNovita, configure: Configure
) -> None:
    configure(orphan_policy="adopt", orphan_grace=0)
    novita.put("lost-1", name=signed_name(), status="running")
    novita.put("lost-2", name=signed_name(), status="running")
    reconcile()
    assert kinds(reconcile()) == ["double"]
    service.run("terminate_instance")
    assert set(novita.instances) == {Instance.objects.get().upstream_id}


@pytest.mark.parametrize(
    "name",
    [
        "somebody-else",
        "",
        "my-gpu-12345678-" + "ab" * 10 + "-0123456789",
        NameSigner("12345678", "00" * 32).name("lost", "ab" * 10),
    ],
)
def test_what_is_not_signed_by_this_installation_is_never_touched(
    novita: FakeNovita, configure: Configure, name: str
) -> None:
    configure(orphan_grace=0)
    novita.put("foreign-1", name=name, status="running")
    for _ in range(3):
        assert kinds(reconcile()) == []
    assert (Orphan.objects.count(), Instance.objects.count()) == (0, 0)
    assert set(novita.calls) == {"list_instances"}
    assert ReconcileRun.objects.first().foreign == 1


def test_a_forged_name_is_not_ours(novita: FakeNovita, configure: Configure) -> None:
    configure(orphan_grace=0)
    name = signed_name()
    novita.put("foreign-1", name=name[:-1] + ("0" if name[-1] != "0" else "1"), status="running")
    assert kinds(reconcile()) == []


@pytest.mark.parametrize("change", [lambda name: f"evil-{name}", lambda name: f"x{name}"])
def test_a_name_that_only_ends_like_ours_is_somebody_elses(
    novita: FakeNovita, running: Instance, configure: Configure, change: Callable[[str], str]
) -> None:
    configure(orphan_grace=0)
    novita.put("foreign-1", name=change(running.upstream_name), status="running")
    for _ in range(3):
        assert kinds(reconcile()) == []
    assert UpstreamEnding.objects.count() == 0
    assert ReconcileRun.objects.first().foreign == 1


def test_a_double_found_later_is_ended_and_the_stored_one_stays(
    service: Service, novita: FakeNovita, running: Instance
) -> None:
    novita.put("up-9", name=running.upstream_name, status="running")
    assert kinds(reconcile()) == ["double"]
    assert kinds(reconcile()) == []
    service.run("terminate_instance")
    assert set(novita.instances) == {"up-1"}
    running.refresh_from_db()
    assert (running.status, running.upstream_id) == ("running", "up-1")
    assert "instance.stray_found" in events(running)


def test_an_id_that_the_list_writes_in_another_case_is_no_double(
    service: Service, novita: FakeNovita, running: Instance
) -> None:
    Instance.objects.update(upstream_id="UP-1")
    assert "double" not in kinds(reconcile())
    assert not UpstreamEnding.objects.exists()


def test_a_create_that_acts_after_its_instance_was_failed_is_ended(
    service: Service, novita: FakeNovita
) -> None:
    instance = service.create(product_name="no such")
    service.run("create_instance", times=3)
    instance.refresh_from_db()
    assert instance.status == "failed"
    name = signed_name(instance.reference)
    Instance.objects.update(upstream_account=settings.CONFIG.upstream_account, upstream_name=name)
    novita.put("late-1", name=name, status="running")
    assert kinds(reconcile()) == ["late_arrival"]
    service.run("terminate_instance")
    assert novita.instances == {}


def test_what_comes_back_after_its_end_was_asked_for_is_ended_anew(
    service: Service, novita: FakeNovita, running: Instance
) -> None:
    gone = novita.instances.pop("up-1")
    service.ask("terminate", running)
    assert service.ended(running).status == "terminated"
    novita.instances["up-1"] = gone
    assert kinds(reconcile()) == []
    Instance.objects.update(upstream_gone_at=F("upstream_gone_at") - timedelta(minutes=2))
    assert kinds(reconcile()) == ["came_back"]
    running.refresh_from_db()
    assert (running.status, running.is_holding, running.ended_at) == ("terminating", True, None)
    service.run("terminate_instance")
    assert novita.instances == {}
    assert service.ended(running).status == "terminated"


def test_an_unconfirmed_create_is_left_to_its_job(service: Service, novita: FakeNovita) -> None:
    instance = service.create()
    novita.fail("create_instance", TIMED_OUT, acts=True)
    service.run("create_instance", times=2)
    instance.refresh_from_db()
    assert instance.create_step == "look_up"
    assert kinds(reconcile()) == []
    assert UpstreamEnding.objects.count() == 0


@pytest.mark.parametrize(
    ("type_", "prepare"),
    [
        ("create_instance", lambda service: service.create()),
        ("monitor_instance", lambda service: service.placed()),
    ],
)
def test_work_whose_job_is_gone_is_taken_up_again(
    service: Service, novita: FakeNovita, type_: str, prepare: object
) -> None:
    prepare(service)  # type: ignore[operator]
    Job.objects.filter(type=type_).delete()
    assert kinds(reconcile()) == ["resumed"]
    assert Job.objects.live().filter(type=type_).count() == 1
    assert kinds(reconcile()) == []


def test_an_ending_whose_job_is_gone_is_taken_up_again(
    service: Service, novita: FakeNovita, running: Instance
) -> None:
    from instances.domain.types import Cause
    from instances.services import terminate_instance

    terminate_instance(public_id=running.public_id, cause=Cause("key:test"))
    Job.objects.filter(type="terminate_instance").delete()
    assert kinds(reconcile()) == ["resumed"]
    assert Job.objects.live().filter(type="terminate_instance").count() == 1
