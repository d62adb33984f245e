"""Webhooks: in order per instance, signed, and never silently lost."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from standardwebhooks import Webhook

from accounts.services import webhook_secret_of
from instances import outbox
from instances.choices import InstanceStatus
from instances.database_clock import database_now
from instances.handlers import webhook
from instances.models import Instance, WebhookDelivery
from instances.transitions import change_status
from instances.types import Cause
from instances.webhooks.transport import DeliveryResult
from jobs import control, queue
from jobs.errors import JobNotCancellable
from jobs.models import Job
from tests.engine import database_time
from tests.instances.conftest import Configure
from tests.instances.handlers.conftest import HOOK, Service
from tests.jobs.conftest import in_thread

pytestmark = pytest.mark.django_db

CAUSE = Cause("worker", request_id="req-2")


def answer(status: int, **fields: Any) -> DeliveryResult:
    is_delivered = 200 <= status < 300
    values: dict[str, Any] = {
        "status_code": status,
        "is_delivered": is_delivered,
        "retry_after": None,
        "error": None if is_delivered else f"the endpoint answered {status}",
        "seconds": 0.1,
        "is_permanent": status == 410,
    }
    return DeliveryResult(**(values | fields))


@dataclass
class Receiver:
    """Keeps what it is sent; answers 200 unless told otherwise."""

    answers: list[DeliveryResult] = field(default_factory=list)
    got: list[tuple[str, bytes, dict[str, str]]] = field(default_factory=list)

    def deliver(
        self, url: str, body: bytes, headers: dict[str, str], **options: Any
    ) -> DeliveryResult:
        self.got.append((url, body, headers))
        return self.answers.pop(0) if self.answers else answer(200)

    @property
    def types(self) -> list[str]:
        return [json.loads(body)["type"] for _, body, _ in self.got]


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Receiver:
    receiver = Receiver()
    monkeypatch.setattr(webhook, "deliver", receiver.deliver)
    return receiver


@pytest.fixture
def instance(service: Service) -> Instance:
    return service.create(webhook_url=HOOK)


def move_on(instance: Instance, to: InstanceStatus) -> None:
    instance.upstream_id = "up-1"
    change_status(instance, to, cause=CAUSE, now=database_now())


def send(service: Service, *, times: int = 1) -> None:
    service.run("send_webhook", times=times)


def live_jobs() -> list[Job]:
    return list(Job.objects.live().filter(type="send_webhook"))


def deliveries() -> list[str]:
    return list(WebhookDelivery.objects.order_by("id").values_list("status", flat=True))


# Going out


def test_a_receiver_can_verify_what_it_gets(
    service: Service, receiver: Receiver, instance: Instance
) -> None:
    send(service)
    ((url, body, headers),) = receiver.got
    assert url == HOOK
    told = Webhook(webhook_secret_of(service.project)).verify(body, headers)
    assert (told["type"], told["sequence"], told["instanceId"]) == (
        *("instance.creating", 1, instance.public_id),
    )
    assert (told["status"], told["requestId"]) == ("creating", "req-1")
    assert headers["webhook-id"] == WebhookDelivery.objects.get().public_id
    assert deliveries() == ["delivered"]


def test_every_project_signs_with_its_own_secret(
    service: Service, receiver: Receiver, other_project: Any
) -> None:
    service.create(webhook_url=HOOK)
    Service(other_project).create(webhook_url=HOOK)
    send(service)
    secrets = {
        delivery.public_id: webhook_secret_of(delivery.project)
        for delivery in WebhookDelivery.objects.select_related("project")
    }
    assert len(set(secrets.values())) == 2
    for _, body, headers in receiver.got:
        Webhook(secrets[headers["webhook-id"]]).verify(body, headers)


def test_without_a_receiver_nothing_is_queued(service: Service) -> None:
    service.create()
    assert (deliveries(), live_jobs()) == ([], [])


def test_messages_of_an_instance_go_out_one_after_the_other(
    service: Service, receiver: Receiver, instance: Instance
) -> None:
    move_on(instance, InstanceStatus.STARTING)
    move_on(instance, InstanceStatus.RUNNING)
    assert len(live_jobs()) == 1
    receiver.answers = [answer(500)]
    send(service)
    assert deliveries() == ["pending"] * 3
    send(service)
    assert deliveries() == ["delivered", "pending", "pending"]
    assert len(live_jobs()) == 1
    send(service, times=2)
    assert receiver.types == ["instance.creating"] * 2 + ["instance.starting", "instance.running"]


def test_a_message_that_fails_for_good_lets_the_next_go(
    service: Service, receiver: Receiver, instance: Instance
) -> None:
    move_on(instance, InstanceStatus.STARTING)
    receiver.answers = [answer(410)]
    send(service, times=2)
    assert deliveries() == ["failed", "delivered"]
    assert receiver.types == ["instance.creating", "instance.starting"]


def test_instances_do_not_wait_for_one_another(service: Service, receiver: Receiver) -> None:
    for _ in range(3):
        service.create(webhook_url=HOOK)
    receiver.answers = [answer(500)]
    send(service)
    assert sorted(deliveries()) == ["delivered", "delivered", "pending"]


def test_every_retry_says_the_same_at_its_own_time(
    service: Service, receiver: Receiver, instance: Instance
) -> None:
    receiver.answers = [answer(500)]
    send(service)
    move_on(instance, InstanceStatus.STARTING)
    send(service)
    first, second = receiver.got[:2]
    assert first[1] == second[1]
    assert first[2]["webhook-id"] == second[2]["webhook-id"]


def test_a_corrected_address_applies_to_what_is_still_to_be_sent(
    service: Service, receiver: Receiver, instance: Instance
) -> None:
    Instance.objects.update(webhook_url="https://new.example.com/")
    send(service)
    assert receiver.got[0][0] == "https://new.example.com/"


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
    """A burial does not come from the runner, so nobody has locked the instance yet."""
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
    service: Service, instance: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    def deliver(*_: Any, **__: Any) -> DeliveryResult:
        control.cancel(live_jobs()[0], actor="ada")
        return answer(200)

    monkeypatch.setattr(webhook, "deliver", deliver)
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


# Where to


def test_private_networks_are_for_development_or_by_name(configure: Configure) -> None:
    configure(webhook_allowed_networks=None, novitai_env="development")
    assert webhook.allowed_networks() == webhook.LOOPBACK
    configure(novitai_env="production")
    assert webhook.allowed_networks() == ()
    configure(webhook_allowed_networks=webhook.LOOPBACK[:1])
    assert webhook.allowed_networks() == webhook.LOOPBACK[:1]


def test_a_message_is_frozen_at_its_event(service: Service, instance: Instance) -> None:
    event = instance.events.get()
    before = WebhookDelivery.objects.get().payload
    move_on(instance, InstanceStatus.STARTING)
    assert WebhookDelivery.objects.order_by("id")[0].payload == before
    told = outbox.webhook_payload(event)
    assert told["eventId"] == event.public_id
    assert told["elapsedTime"] >= 0
    assert timedelta(milliseconds=told["elapsedTime"]) < timedelta(minutes=1)
