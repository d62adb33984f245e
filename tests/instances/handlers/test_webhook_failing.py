"""Messages of instances that do not arrive, and those that are cancelled."""

from __future__ import annotations

from typing import Any

import pytest

from instances.domain.enums import InstanceStatus
from instances.models import Instance, InstanceEvent
from jobs import control, queue
from jobs.errors import JobNotCancellable
from jobs.models import Job
from tests.instances.conftest import Configure
from tests.instances.handlers.conftest import HOOK, Service
from tests.instances.handlers.webhook_receiver import (
    Receiver,
    answer,
    deliveries,
    live_jobs,
    move_on,
    send,
)
from tests.support.engine import database_time
from tests.support.name_resolution import look_up, resolve_by
from webhooks import policy
from webhooks.models import Attempt, Delivery, Endpoint
from webhooks.services import endpoints, sending

pytestmark = pytest.mark.django_db


@pytest.fixture
def instance(service: Service) -> Instance:
    return service.create(webhook_url=HOOK)


# Failing


@pytest.mark.parametrize(
    ("asked", "tries", "least", "most"),
    [
        (None, 1, 4, 6),
        (30, 1, 30, 30),
        (86_400, 1, 60, 60),
        (1, 3, 240, 360),
        (86_400, 3, 480, 720),
        (None, 10, 69_120, 103_680),
    ],
)
def test_a_receiver_may_slow_it_down_but_not_switch_it_off(
    asked: float | None, tries: int, least: float, most: float
) -> None:
    after = policy.next_delay(tries, asked)
    assert after is not None
    assert least <= after.total_seconds() <= most


def test_there_is_no_retry_after_the_last_delay() -> None:
    assert policy.next_delay(11) is None


def test_a_receiver_that_is_gone_is_disabled_and_gets_what_waits_once_it_is_enabled(
    service: Service, receiver: Receiver, instance: Instance
) -> None:
    move_on(instance, InstanceStatus.STARTING)
    receiver.answers = [answer(410)]
    send(service, times=2)
    first, second = Delivery.objects.order_by("message_id")
    assert (first.status, first.attempts, first.last_status_code) == ("failed", 1, 410)
    assert second.status == "pending"
    endpoint = Endpoint.objects.get()
    assert (endpoint.is_enabled, endpoint.disabled_reason) == (False, "It answered 410 Gone.")
    assert live_jobs() == []
    enabled = endpoints.EndpointSpec({"is_enabled": True})
    endpoints.update(endpoint, enabled, actor="key:test")
    send(service)
    assert deliveries() == ["failed", "delivered"]


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
    service: Service, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another attempt would end in the same way; the next message goes the same short way."""

    def getaddrinfo(host: Any, *rest: Any, **more: Any) -> Any:
        return look_up("192.168.1.9" if host == "inside.example" else host, *rest, **more)

    resolve_by(monkeypatch, getaddrinfo)
    instance = service.create(webhook_url=url)
    move_on(instance, InstanceStatus.STARTING)
    send(service, times=2)
    for delivery in Delivery.objects.all():
        assert (delivery.status, delivery.attempts) == ("failed", 1)
        assert delivery.last_error
    assert live_jobs() == []
    service.run("record_undelivered")
    told = InstanceEvent.objects.filter(type="instance.webhook_given_up").order_by("sequence")
    assert {event.data["type"] for event in told} == {"instance.creating", "instance.starting"}
    assert "s3cr3t" not in str([event.data for event in told])
    assert Delivery.objects.count() == 2


@pytest.mark.parametrize(
    "error", ["no address found for a.example", "connection lost", "TLS failed"]
)
def test_what_may_pass_is_tried_again(
    service: Service, receiver: Receiver, instance: Instance, error: str
) -> None:
    receiver.answers = [answer(500, status_code=None, error=error)]
    send(service)
    assert deliveries() == ["pending"]
    assert Delivery.objects.get().next_attempt_at is not None
    assert not Job.objects.filter(type="record_undelivered").exists()


@pytest.mark.parametrize(
    "payload", [{}, {"endpointId": None}, {"endpointId": 5}, {"endpointId": {}}, {"url": "x"}, []]
)
@pytest.mark.parametrize("ending", ["run", "cancel"])
def test_a_job_that_names_no_lane_can_be_got_rid_of_and_its_messages_are_found(
    service: Service, receiver: Receiver, instance: Instance, payload: Any, ending: str
) -> None:
    queue.ensure_recurring()
    job = Job.objects.get(type="deliver_webhooks")
    Job.objects.filter(pk=job.pk).update(payload=payload)
    if ending == "run":
        send(service)
        assert Job.objects.get(pk=job.pk).status == "failed"
    else:
        control.cancel(Job.objects.get(pk=job.pk), actor="ada")
        assert Job.objects.get(pk=job.pk).status == "cancelled"
    service.run("prune_webhooks")
    send(service)
    assert receiver.types == ["instance.creating"]


def test_after_its_last_attempt_it_is_visibly_failed_and_can_be_sent_again(
    service: Service, receiver: Receiver, instance: Instance, configure: Configure
) -> None:
    configure(webhook_retry_delays=(5,))
    receiver.answers = [answer(500), answer(502)]
    send(service, times=2)
    delivery = Delivery.objects.get()
    assert (delivery.status, delivery.attempts, delivery.ended_at is None) == ("failed", 2, False)
    assert list(Attempt.objects.order_by("id").values_list("number", "status_code")) == [
        (1, 500),
        (2, 502),
    ]
    sending.redeliver(Delivery.objects.get(), actor="ada")
    assert deliveries() == ["pending"]
    send(service)
    assert deliveries() == ["delivered"]
    assert len({headers["webhook-id"] for _, _, headers in receiver.got}) == 1


def test_what_was_delivered_meanwhile_is_not_sent_again(
    service: Service, receiver: Receiver, instance: Instance
) -> None:
    Delivery.objects.update(status="delivered", ended_at=database_time())
    send(service)
    assert (receiver.got, live_jobs()) == ([], [])


# Cancelled


def test_a_cancelled_message_lets_the_next_go_and_can_be_sent_again(
    service: Service, receiver: Receiver, instance: Instance
) -> None:
    move_on(instance, InstanceStatus.STARTING)
    receiver.answers = [answer(500)]
    send(service)
    first = Delivery.objects.order_by("message_id")[0]
    first = sending.cancel(first, actor="ada")
    assert (first.status, first.ended_at is None) == ("cancelled", False)
    assert first.last_error == "cancelled before it was delivered"
    send(service)
    assert deliveries() == ["cancelled", "delivered"]
    sending.redeliver(first, actor="ada")
    send(service)
    assert deliveries() == ["delivered", "delivered"]


def test_cancelling_the_job_cancels_what_its_lane_has_pending(
    service: Service, receiver: Receiver, instance: Instance
) -> None:
    receiver.meanwhile = lambda: control.cancel(live_jobs()[0], actor="ada")
    send(service)
    assert deliveries() == ["cancelled"]
    assert Job.objects.get(type="deliver_webhooks").status == "cancelled"


@pytest.mark.parametrize("type_", ["create_instance", "refresh_catalogue"])
def test_nothing_else_can_be_cancelled_as_a_job(
    service: Service, instance: Instance, type_: str
) -> None:
    queue.ensure_recurring()
    with pytest.raises(JobNotCancellable):
        control.cancel(Job.objects.get(type=type_), actor="ada")
