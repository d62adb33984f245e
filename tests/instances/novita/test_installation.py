"""A copy of the database somewhere else must not act in the name of the original."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from instances.models import Installation, Instance
from instances.novita import installation
from jobs import queue
from jobs.models import Job
from tests.instances.conftest import Configure
from tests.instances.handlers.conftest import Service, events, novita, service
from tests.support.engine import database_time
from tests.support.fakes import FakeNovita
from webhooks.models import Delivery

pytestmark = pytest.mark.django_db
__all__ = ["novita", "service"]


@pytest.fixture
def move(configure: Configure) -> Callable[[], None]:
    """Let the rows be those of an installation that lives elsewhere."""

    def move() -> None:
        assert installation.is_ours()
        configure(installation_environment="somewhere-else")
        assert not installation.is_ours()

    return move


def test_the_first_use_binds_it_and_later_ones_find_it(db: None) -> None:
    assert installation.is_ours()
    assert Installation.objects.get().environment == installation.fingerprint()
    assert installation.is_ours()


def test_an_installation_of_an_earlier_release_is_bound_where_it_is(db: None) -> None:
    Installation.objects.create(id=1)
    assert installation.is_ours()
    assert Installation.objects.get().environment == installation.fingerprint()


@pytest.mark.parametrize(
    "elsewhere", [{"installation_environment": "staging"}, {"novitai_env": "production"}]
)
def test_another_environment_is_another_place(
    configure: Configure, elsewhere: dict[str, str]
) -> None:
    assert installation.is_ours()
    configure(**elsewhere)
    assert not installation.is_ours()
    # And looking does not move it.
    assert not installation.is_ours()


def test_another_database_is_another_place(db: None) -> None:
    """As after a restore: the same rows, under another number or on another server."""
    Installation.objects.create(id=1, environment="0123456789abcdef")
    assert not installation.is_ours()


def test_a_copy_creates_nothing(
    service: Service, novita: FakeNovita, move: Callable[[], None]
) -> None:
    instance = service.create()
    move()
    service.run("create_instance", times=3)
    instance.refresh_from_db()
    assert (novita.calls, instance.status, instance.create_step) == ([], "creating", "choose")
    assert Job.objects.get(type="create_instance").status == "pending"


def test_a_copy_searches_no_unconfirmed_create_and_so_adopts_nothing(
    service: Service, novita: FakeNovita, move: Callable[[], None]
) -> None:
    instance = service.create()
    Instance.objects.update(create_step="look_up", posted_at=database_time())
    move()
    service.run("create_instance", times=3)
    assert (novita.calls, events(instance)) == ([], ["instance.creating", "instance.waiting"])
    instance.refresh_from_db()
    assert (instance.wait_code, instance.status) == ("HELD_BACK", "creating")
    assert "reconcile --accept" in instance.wait_message


@pytest.mark.parametrize("verb", ["start", "stop", "restart", "terminate"])
def test_a_copy_changes_and_ends_nothing(
    service: Service, novita: FakeNovita, move: Callable[[], None], verb: str
) -> None:
    instance = service.stopped(novita) if verb == "start" else service.running(novita)
    service.ask(verb, instance)
    move()
    service.run(f"{verb}_instance", times=3)
    assert novita.calls == []
    job = Job.objects.get(type=f"{verb}_instance", status="pending")
    assert job.run_at > database_time(timedelta(seconds=20))


def test_a_copy_enforces_no_limit(
    service: Service, novita: FakeNovita, move: Callable[[], None]
) -> None:
    instance = service.running(novita, max_runtime_minutes=60)
    Instance.objects.update(expires_at=database_time(-timedelta(hours=1)))
    move()
    queue.ensure_recurring()
    service.run("enforce_limits", times=2)
    instance.refresh_from_db()
    assert (instance.status, instance.expiry_warned_at) == ("running", None)


def test_accepting_lets_everything_go_on(
    service: Service, novita: FakeNovita, move: Callable[[], None]
) -> None:
    created, running = service.create(), service.running(novita, max_runtime_minutes=60)
    Instance.objects.filter(pk=running.pk).update(expires_at=database_time(-timedelta(hours=1)))
    move()
    installation.accept()
    assert installation.is_ours()
    queue.ensure_recurring()
    for job in ("create_instance", "enforce_limits", "terminate_instance"):
        service.run(job, times=2)
    created.refresh_from_db()
    running.refresh_from_db()
    assert (created.status, running.status) == ("starting", "terminating")
    assert "delete_instance" in novita.calls


def test_accepting_before_anything_was_bound_binds_here(db: None) -> None:
    installation.accept()
    assert installation.is_ours()


def test_a_copy_tells_nobody(
    service: Service, novita: FakeNovita, move: Callable[[], None]
) -> None:
    service.create(webhook_url="https://hooks.example.com/gpu")
    assert installation.is_ours()
    move()
    service.run("deliver_webhooks")
    delivery = Delivery.objects.get()
    assert (delivery.status, delivery.attempts) == ("pending", 0)
    assert Job.objects.get(type="deliver_webhooks").status == "pending"
