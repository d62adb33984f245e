"""Webhooks: in order per instance, signed, and never silently lost."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from accounts.webhook_secrets import end_overlap, rotate, webhook_secret_of
from instances.domain.enums import InstanceStatus
from instances.domain.types import InstancePatch
from instances.lifecycle import outbox
from instances.models import Instance
from instances.services import update_instance
from tests.instances.conftest import Configure
from tests.instances.handlers.conftest import HOOK, Service
from tests.instances.handlers.webhook_receiver import (
    CAUSE,
    Receiver,
    answer,
    deliveries,
    live_jobs,
    move_on,
    send,
)
from webhooks import limits
from webhooks.models import Message

pytestmark = pytest.mark.django_db


@pytest.fixture
def instance(service: Service) -> Instance:
    return service.create(webhook_url=HOOK)


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
    assert headers["webhook-id"] == Message.objects.get().public_id
    assert deliveries() == ["delivered"]


def test_every_project_signs_with_its_own_secret(
    service: Service, receiver: Receiver, other_project: Any
) -> None:
    service.create(webhook_url=HOOK)
    Service(other_project).create(webhook_url=HOOK)
    send(service)
    secrets = {
        message.public_id: webhook_secret_of(message.project)
        for message in Message.objects.select_related("project")
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
    assert deliveries() == ["delivered"] * 3
    assert live_jobs() == []
    assert receiver.types == ["instance.creating"] * 2 + ["instance.starting", "instance.running"]


def test_a_message_that_fails_for_good_lets_the_next_go(
    service: Service, receiver: Receiver, instance: Instance
) -> None:
    move_on(instance, InstanceStatus.STARTING)
    receiver.answers = [answer(404, is_permanent=True)]
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
    changes = InstancePatch(fields={"webhook_url": "https://new.example.com/"})
    update_instance(public_id=instance.public_id, changes=changes, cause=CAUSE)
    send(service)
    assert receiver.got[0][0] == "https://new.example.com/"


# Where to


def test_private_networks_are_for_development_or_by_name(configure: Configure) -> None:
    configure(webhook_allowed_networks=None, novitai_env="development")
    assert limits.allowed_networks() == limits.LOOPBACK
    configure(novitai_env="production")
    assert limits.allowed_networks() == ()
    configure(webhook_allowed_networks=limits.LOOPBACK[:1])
    assert limits.allowed_networks() == limits.LOOPBACK[:1]


def test_a_message_is_frozen_at_its_event(service: Service, instance: Instance) -> None:
    event = instance.events.get()
    before = Message.objects.get().body
    move_on(instance, InstanceStatus.STARTING)
    assert Message.objects.order_by("id")[0].body == before
    told = outbox.WebhookMessage.of(event).as_json()
    assert told["eventId"] == event.public_id
    assert told["elapsedTime"] >= 0
    assert timedelta(milliseconds=told["elapsedTime"]) < timedelta(minutes=1)


def test_while_a_secret_is_replaced_receivers_with_either_verify(
    service: Service, receiver: Receiver
) -> None:
    former = webhook_secret_of(service.project)
    new = rotate(service.project, overlap=timedelta(hours=1), actor="operator:ada")
    service.create(webhook_url=HOOK)
    send(service)
    _, body, headers = receiver.got[0]
    for secret in (former, new):
        assert Webhook(secret).verify(body, headers)
    end_overlap(service.project, actor="operator:ada")
    service.create(webhook_url=HOOK)
    send(service)
    _, body, headers = receiver.got[1]
    assert Webhook(new).verify(body, headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(former).verify(body, headers)
