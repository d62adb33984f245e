"""When endpoints fail, recover and are disabled, and who is told."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.db.models import F

from accounts.models import Project
from core.clock import database_now
from jobs.models import Job
from tests.instances.handlers.conftest import Service
from tests.instances.handlers.webhook_receiver import Receiver, answer
from tests.jobs.conftest import in_thread
from tests.support.engine import run_due
from tests.webhooks.conftest import Publish, make_endpoint, run, statuses
from webhooks import health
from webhooks.models import Delivery, Endpoint, Message

pytestmark = pytest.mark.django_db
WATCHER = "https://watcher.example/"


@pytest.fixture
def watcher(project: Project) -> Endpoint:
    return make_endpoint(project, WATCHER, event_types=["endpoint.failing", "endpoint.recovered"])


def fails_since(endpoint: Endpoint, span: timedelta) -> None:
    Endpoint.objects.filter(pk=endpoint.pk).update(failing_since=F("failing_since") - span)


def told() -> list[str]:
    rows = Message.objects.filter(type__startswith="endpoint.").order_by("id")
    return list(rows.values_list("type", flat=True))


def fail_once(service: Service, receiver: Receiver, *, status: int = 503) -> None:
    receiver.answers = [answer(status)]
    run(service)


def test_a_failure_is_shown_and_a_success_clears_it(
    service: Service, receiver: Receiver, publish: Publish, endpoint: Endpoint
) -> None:
    publish()
    fail_once(service, receiver)
    endpoint.refresh_from_db()
    assert endpoint.failing_since is not None
    assert endpoint.last_error == "the endpoint answered 503"
    run(service)
    endpoint.refresh_from_db()
    assert (endpoint.failing_since, endpoint.last_success_at is None) == (None, False)
    assert told() == []


def test_others_are_told_once_that_an_endpoint_fails_and_that_it_recovered(
    service: Service,
    receiver: Receiver,
    publish: Publish,
    endpoint: Endpoint,
    watcher: Endpoint,
) -> None:
    publish()
    fail_once(service, receiver)
    fails_since(endpoint, timedelta(hours=1))
    for _ in range(2):
        receiver.answers = [answer(503)]
        run(service)
    assert told() == ["endpoint.failing"]
    run(service, times=2)
    assert told() == ["endpoint.failing", "endpoint.recovered"]
    run(service)
    sent = {url for url, body, _ in receiver.got if b'"endpoint.' in body}
    assert sent == {WATCHER}
    assert "s3cr3t" not in "".join(Message.objects.values_list("body", flat=True))


def test_an_endpoint_is_disabled_after_five_days_of_nothing_but_failures(
    service: Service, receiver: Receiver, publish: Publish, endpoint: Endpoint
) -> None:
    other = make_endpoint(endpoint.project, WATCHER, event_types=["endpoint.disabled"])
    publish()
    fail_once(service, receiver)
    fails_since(endpoint, timedelta(days=5))
    fail_once(service, receiver)
    endpoint.refresh_from_db()
    assert (endpoint.is_enabled, endpoint.disabled_reason) == (
        False,
        "Nothing was delivered for 5 days.",
    )
    run(service, times=2)
    assert statuses(endpoint) == ["pending"]
    assert statuses(other) == ["delivered"]


def test_the_first_success_sends_all_that_waits_for_a_retry(
    service: Service, receiver: Receiver, publish: Publish, endpoint: Endpoint
) -> None:
    publish("inst_1")
    publish("inst_2")
    receiver.answers = [answer(503), answer(503)]
    run(service)
    first, second = Job.objects.filter(type="deliver_webhooks").order_by("id")
    Job.objects.filter(pk=first.pk).update(run_at=database_now())
    fails_since(endpoint, timedelta(minutes=2))
    run_due()
    second.refresh_from_db()
    assert second.run_at <= database_now()


def test_a_success_between_failures_repeats_nothing_before_its_time(
    service: Service, receiver: Receiver, publish: Publish, endpoint: Endpoint
) -> None:
    """A receiver that refuses some messages would else get these again at each success."""
    publish("inst_1")
    publish("inst_2")
    receiver.answers = [answer(503), answer(200)]
    run(service)
    waiting = Job.objects.get(type="deliver_webhooks", status="pending")
    assert waiting.run_at > database_now()
    publish("inst_3")
    Job.objects.filter(pk=waiting.pk).update(run_at=database_now() + timedelta(hours=1))
    run_due()
    waiting.refresh_from_db()
    assert waiting.run_at > database_now() + timedelta(minutes=50)


def test_a_latest_only_endpoint_gets_the_newest_state_and_skips_the_rest(
    service: Service, receiver: Receiver, publish: Publish, project: Project
) -> None:
    endpoint = make_endpoint(project, on_backlog="latest")
    for type_ in ("instance.creating", "instance.starting", "instance.running"):
        publish(type_=type_)
    receiver.answers = [answer(503)]
    run(service)
    Message.objects.update(created_at=F("created_at") - timedelta(hours=1))
    run(service)
    assert receiver.types == ["instance.creating", "instance.running"]
    assert statuses(endpoint) == ["skipped", "skipped", "delivered"]


def test_a_failure_at_one_endpoint_holds_up_no_other(
    service: Service, receiver: Receiver, publish: Publish, endpoint: Endpoint
) -> None:
    other = make_endpoint(endpoint.project, WATCHER)
    publish()
    publish(type_="instance.stopped")
    receiver.answers = [answer(503)]
    run(service)
    both = {*map(tuple, (statuses(endpoint), statuses(other)))}
    assert both == {("pending", "pending"), ("delivered", "delivered")}
    assert Delivery.objects.filter(status="pending", attempts=0).count() == 1


@pytest.mark.django_db(transaction=True)
def test_the_health_of_an_endpoint_is_written_while_a_message_for_it_is(
    publish: Publish, endpoint: Endpoint
) -> None:
    """The writer of the message may wait for the job whose attempt is written here."""
    written, noted = threading.Event(), threading.Event()

    def write() -> bool:
        with transaction.atomic():
            publish()
            written.set()
            noted.wait(10)
        return True

    thread = threading.Thread(target=lambda: in_thread(write))
    thread.start()
    assert written.wait(10)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL lock_timeout = '2s'")
        record = health.Record(failed=True, last_error="the endpoint answered 503")
        health.note({endpoint.pk: record}, database_now())
    noted.set()
    thread.join(timeout=20)
    endpoint.refresh_from_db()
    assert endpoint.failing_since is not None
