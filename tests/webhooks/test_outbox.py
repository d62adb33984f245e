"""Messages: written with their event, frozen, bounded, kept for a while."""

from __future__ import annotations

import json
import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.db.models import F

from accounts.models import Project
from core.clock import database_now
from jobs import queue
from jobs.models import Job
from tests.conftest import Configure
from tests.instances.handlers.conftest import Service
from tests.instances.handlers.webhook_receiver import Receiver, answer
from tests.jobs.conftest import in_thread
from tests.webhooks.conftest import Publish, make_endpoint, run, statuses
from webhooks import outbox
from webhooks.handlers import prune
from webhooks.models import Attempt, Delivery, Endpoint, Message

pytestmark = pytest.mark.django_db


def test_a_message_has_at_most_twenty_thousand_bytes() -> None:
    data = {"id": "inst_1", "status": "running", "more": "é" * 20_000}
    text = outbox.frozen({"type": "instance.running", "data": data})
    assert len(text.encode()) < 20_000
    assert json.loads(text) == {
        "type": "instance.running",
        "data": {"id": "inst_1", "status": "running"},
        "dataTruncated": True,
    }


def test_nothing_is_told_of_an_event_that_was_rolled_back(
    publish: Publish, endpoint: Endpoint
) -> None:
    with transaction.atomic():
        publish()
        transaction.set_rollback(True)
    assert not Message.objects.exists()
    assert not Job.objects.filter(type="deliver_webhooks").exists()


def test_a_lane_has_one_live_job_however_many_messages_wait(
    publish: Publish, endpoint: Endpoint
) -> None:
    for _ in range(5):
        publish()
    assert Job.objects.filter(type="deliver_webhooks").count() == 1


def test_a_message_written_while_its_lane_is_sent_is_sent_too(
    service: Service, receiver: Receiver, publish: Publish, endpoint: Endpoint
) -> None:
    publish()
    once = [lambda: publish(type_="instance.stopped")]
    receiver.meanwhile = lambda: once.pop()() if once else None
    run(service, times=2)
    assert receiver.types == ["instance.running", "instance.stopped"]
    assert statuses(endpoint) == ["delivered"] * 2


def test_a_message_written_during_a_failing_attempt_does_not_shorten_the_pause(
    service: Service, receiver: Receiver, publish: Publish, endpoint: Endpoint
) -> None:
    publish()
    once = [lambda: publish(type_="instance.stopped")]
    receiver.meanwhile = lambda: once.pop()() if once else None
    receiver.answers = [answer(503)]
    run(service)
    job = Job.objects.get(type="deliver_webhooks")
    assert (job.status, job.rerun) == ("pending", False)
    assert job.run_at > database_now()


@pytest.mark.django_db(transaction=True)
def test_a_message_committed_while_its_lane_ends_is_not_forgotten(
    service: Service, receiver: Receiver, publish: Publish, endpoint: Endpoint
) -> None:
    """The lane's last look misses the message that another transaction has not committed yet."""
    publish()
    written, ended = threading.Event(), threading.Event()

    def write_slowly() -> bool:
        with transaction.atomic():
            publish(type_="instance.stopped")
            written.set()
            ended.wait(0.5)
        return True

    thread = threading.Thread(target=lambda: in_thread(write_slowly))
    receiver.meanwhile = lambda: _once(thread, written)
    run(service)
    ended.set()
    thread.join(timeout=20)
    run(service, times=2)
    assert statuses(endpoint) == ["delivered"] * 2


def _once(thread: threading.Thread, written: threading.Event) -> None:
    if not thread.ident:
        thread.start()
        written.wait(10)


def test_a_lane_that_lost_its_job_is_found_again(
    service: Service, receiver: Receiver, publish: Publish, endpoint: Endpoint
) -> None:
    queue.ensure_recurring()
    publish()
    Job.objects.filter(type="deliver_webhooks").delete()
    service.run("prune_webhooks")
    run(service)
    assert statuses(endpoint) == ["delivered"]


# Retention


def aged(**span: Any) -> None:
    Message.objects.update(created_at=F("created_at") - timedelta(**span))


def test_messages_are_deleted_by_age_with_deliveries_and_attempts(
    service: Service, receiver: Receiver, publish: Publish, endpoint: Endpoint
) -> None:
    publish()
    run(service)
    aged(days=31)
    publish()
    assert prune.prune(seconds=10)
    assert (Message.objects.count(), Delivery.objects.count()) == (1, 1)
    assert Attempt.objects.count() == 0


def test_messages_beyond_the_number_are_deleted_unless_they_wait(
    service: Service, receiver: Receiver, publish: Publish, project: Project, configure: Configure
) -> None:
    configure(webhook_keep_messages=2)
    for number in range(3):
        publish(f"inst_{number}")
    endpoint = make_endpoint(project)
    for number in range(3, 6):
        publish(f"inst_{number}")
    assert prune.prune(seconds=10)
    assert sorted(Message.objects.values_list("subject", flat=True)) == [
        *("inst_3", "inst_4", "inst_5"),
    ]
    run(service)
    assert prune.prune(seconds=10)
    assert statuses(endpoint) == ["delivered"] * 2
