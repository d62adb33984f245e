"""send_webhook: messages that do not arrive, and those that are cancelled."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
from django.db import connection, transaction

from instances.domain.enums import InstanceStatus
from instances.handlers import webhook
from instances.models import Instance, InstanceEvent, WebhookDelivery
from jobs import control, queue
from jobs.errors import JobNotCancellable
from jobs.handler import get_type
from jobs.models import Job
from tests.instances.handlers.conftest import HOOK, Service
from tests.instances.handlers.webhook_receiver import (
    Receiver,
    answer,
    deliveries,
    live_jobs,
    move_on,
    send,
)
from tests.jobs.conftest import in_thread
from tests.support.engine import database_time
from tests.support.name_resolution import look_up, resolve_by

pytestmark = pytest.mark.django_db


@pytest.fixture
def instance(service: Service) -> Instance:
    return service.create(webhook_url=HOOK)


# Failing


@pytest.mark.parametrize(
    ("asked", "attempts", "least", "most"),
    [
        (None, 1, 4, 6),
        (30, 1, 30, 30),
        (86_400, 1, 60, 60),
        (1, 6, 128, 192),
        (86_400, 6, 256, 384),
    ],
)
def test_a_receiver_may_slow_it_down_but_not_switch_it_off(
    instance: Instance, asked: float | None, attempts: int, least: float, most: float
) -> None:
    job = live_jobs()[0]
    job.attempts = attempts
    outcome = webhook._retry(job, answer(503, retry_after=asked))
    assert isinstance(outcome, webhook.Retry)
    assert outcome.after is not None
    assert least <= outcome.after.total_seconds() <= most


def test_a_receiver_that_is_gone_gets_nothing_more_of_it(
    service: Service, receiver: Receiver, instance: Instance
) -> None:
    receiver.answers = [answer(410)]
    send(service)
    delivery = WebhookDelivery.objects.get()
    assert (delivery.status, delivery.attempts, delivery.last_status_code) == ("failed", 1, 410)
    assert "410" in delivery.last_error
    assert Job.objects.get(type="send_webhook").status == "failed"


@pytest.mark.parametrize(
    "url",
    [
        "http://10.0.0.1/hook",
        "http://inside.example/hook?token=s3cr3t",
        "http://[fd00::1]/hook",
        "http://a..example/hook",
    ],
)
def test_a_url_that_leads_nowhere_is_given_up_at_once_and_its_owner_is_told(
    service: Service, instance: Instance, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another attempt would end in the same way; the next message goes the same short way."""

    def getaddrinfo(host: Any, *rest: Any, **more: Any) -> Any:
        return look_up("192.168.1.9" if host == "inside.example" else host, *rest, **more)

    resolve_by(monkeypatch, getaddrinfo)
    Instance.objects.update(webhook_url=url)
    instance.refresh_from_db()
    move_on(instance, InstanceStatus.STARTING)
    send(service, times=2)
    for delivery in WebhookDelivery.objects.all():
        assert (delivery.status, delivery.attempts) == ("failed", 1)
        assert delivery.last_error
    assert {job.status for job in Job.objects.filter(type="send_webhook")} == {"failed"}
    told = InstanceEvent.objects.filter(type="instance.webhook_given_up").order_by("sequence")
    assert [event.data["type"] for event in told] == ["instance.creating", "instance.starting"]
    assert "s3cr3t" not in str([event.data for event in told])
    assert WebhookDelivery.objects.count() == 2


@pytest.mark.parametrize(
    "error", ["no address found for a.example", "connection lost", "TLS failed"]
)
def test_what_may_pass_is_tried_again(
    service: Service, receiver: Receiver, instance: Instance, error: str
) -> None:
    receiver.answers = [answer(500, status_code=None, error=error)]
    send(service)
    assert deliveries() == ["pending"]
    assert not InstanceEvent.objects.filter(type="instance.webhook_given_up").exists()


@pytest.mark.parametrize(
    "payload", [{}, {"deliveryId": None}, {"deliveryId": 5}, {"deliveryId": {}}, {"url": "x"}, []]
)
@pytest.mark.parametrize("ending", ["run", "cancel", "give up"])
def test_a_job_that_names_no_message_can_be_got_rid_of(
    service: Service, receiver: Receiver, instance: Instance, payload: Any, ending: str
) -> None:
    """And the messages of its instance do not wait for it."""
    job = Job.objects.get(type="send_webhook")
    Job.objects.filter(pk=job.pk).update(payload=payload)
    if ending == "run":
        send(service)
        assert Job.objects.get(pk=job.pk).status == "failed"
    elif ending == "cancel":
        control.cancel(Job.objects.get(pk=job.pk), actor="ada")
        assert Job.objects.get(pk=job.pk).status == "cancelled"
    else:
        job.refresh_from_db()
        with transaction.atomic():
            get_type(job.type).handler.on_give_up(job, "tired")
            get_type(job.type).handler.on_redrive(job)
        return
    send(service, times=2)
    assert receiver.types == ["instance.creating"]


def test_after_its_last_attempt_it_is_visibly_failed_and_can_be_sent_again(
    service: Service, receiver: Receiver, instance: Instance
) -> None:
    Job.objects.filter(type="send_webhook").update(max_attempts=2)
    receiver.answers = [answer(500), answer(502)]
    send(service, times=2)
    delivery = WebhookDelivery.objects.get()
    assert (delivery.status, delivery.attempts, delivery.ended_at is None) == ("failed", 2, False)
    control.redrive(Job.objects.get(type="send_webhook"), actor="ada")
    assert deliveries() == ["pending"]
    send(service)
    assert deliveries() == ["delivered"]


def test_what_was_delivered_meanwhile_is_not_sent_again(
    service: Service, receiver: Receiver, instance: Instance
) -> None:
    WebhookDelivery.objects.update(status="delivered", ended_at=database_time())
    send(service)
    assert (receiver.got, live_jobs()) == ([], [])


@pytest.mark.django_db(transaction=True)
def test_a_message_written_while_another_is_buried_is_not_forgotten(
    service: Service, instance: Instance
) -> None:
    """A burial does not come from the executor, so nobody has locked the instance yet."""
    job = live_jobs()[0]
    buried = threading.Event()

    def bury() -> bool:
        with transaction.atomic():
            webhook.SendWebhook().on_give_up(job, "the worker died")
        buried.set()
        return True

    with transaction.atomic():
        locked = Instance.objects.select_for_update().get(pk=instance.pk)
        move_on(locked, InstanceStatus.STARTING)
        thread = threading.Thread(target=lambda: in_thread(bury))
        thread.start()
        _until(lambda: buried.is_set() or _somebody_waits())
    thread.join(timeout=20)
    assert deliveries() == ["failed", "pending"]
    second = WebhookDelivery.objects.order_by("id").last()
    assert second is not None
    assert Job.objects.live().filter(payload__deliveryId=second.public_id).exists()


def _somebody_waits() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
        return bool(cursor.fetchone()[0])


def _until(condition: Any) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline


# Cancelled


def test_a_cancelled_message_is_visibly_failed_and_lets_the_next_go(
    service: Service, receiver: Receiver, instance: Instance
) -> None:
    move_on(instance, InstanceStatus.STARTING)
    receiver.answers = [answer(500)]
    send(service)
    control.cancel(live_jobs()[0], actor="ada")
    first = WebhookDelivery.objects.order_by("id")[0]
    assert (first.status, first.ended_at is None) == ("failed", False)
    assert first.last_error == "cancelled before it was delivered"
    assert len(live_jobs()) == 1
    send(service)
    assert deliveries() == ["failed", "delivered"]
    assert receiver.types == ["instance.creating", "instance.starting"]


def test_a_message_cancelled_while_it_is_sent_stays_cancelled(
    service: Service, instance: Instance, receiver: Receiver
) -> None:
    receiver.meanwhile = lambda: control.cancel(live_jobs()[0], actor="ada")
    send(service)
    assert deliveries() == ["failed"]
    assert Job.objects.get(type="send_webhook").status == "cancelled"


@pytest.mark.parametrize("type_", ["create_instance", "refresh_catalogue"])
def test_nothing_else_can_be_cancelled_as_a_job(
    service: Service, instance: Instance, type_: str
) -> None:
    queue.ensure_recurring()
    with pytest.raises(JobNotCancellable):
        control.cancel(Job.objects.get(type=type_), actor="ada")
