"""The admin pages of webhooks: what they show, what their buttons do."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from accounts.models import AuditEntry, Project
from tests.instances.handlers.conftest import Service
from tests.instances.handlers.webhook_receiver import Receiver, answer
from tests.webhooks.conftest import Publish, make_endpoint, run, statuses
from webhooks.models import Delivery, Endpoint, Replay

pytestmark = pytest.mark.django_db


def page(client: Client, row: Any, verb: str = "change") -> str:
    return reverse(f"admin:webhooks_{row._meta.model_name}_{verb}", args=[row.pk])


def listed(client: Client, name: str, **query: str) -> str:
    return client.get(reverse(f"admin:webhooks_{name}_changelist"), query).content.decode()


def test_lists_and_pages_show_health_and_attempts_and_no_secret(
    service: Service,
    receiver: Receiver,
    publish: Publish,
    endpoint: Endpoint,
    admin_client: Client,
) -> None:
    publish()
    receiver.answers = [answer(503, response_excerpt="<script>alert(1)</script>")]
    run(service)
    delivery = Delivery.objects.get()
    pages = [
        listed(admin_client, "endpoint", health="failing"),
        listed(admin_client, "delivery", q="inst_1"),
        admin_client.get(page(admin_client, endpoint)).content.decode(),
        admin_client.get(page(admin_client, delivery)).content.decode(),
    ]
    for shown in pages:
        assert "https://hooks.example.com" in shown
        assert "the endpoint answered 503" in shown
        assert "s3cr3t" not in shown
        assert endpoint.secret not in shown
        assert "<script>alert" not in shown
    assert endpoint.public_id not in listed(admin_client, "endpoint", health="disabled")


def test_buttons_pause_resume_test_and_send(
    service: Service,
    receiver: Receiver,
    publish: Publish,
    endpoint: Endpoint,
    admin_client: Client,
) -> None:
    publish()
    admin_client.post(page(admin_client, endpoint, "pause"))
    run(service)
    assert statuses(endpoint) == ["pending"]
    admin_client.post(page(admin_client, endpoint, "resume"))
    run(service)
    assert statuses(endpoint) == ["delivered"]
    admin_client.post(page(admin_client, endpoint, "test"))
    admin_client.post(
        page(admin_client, Delivery.objects.get(type="instance.running"), "redeliver")
    )
    run(service)
    assert sorted(receiver.types) == ["instance.running", "instance.running", "webhook.test"]
    admin_client.post(page(admin_client, endpoint, "send_now"))
    verbs = AuditEntry.objects.filter(actor="operator:admin").values_list("verb", flat=True)
    assert {"webhook.update", "webhook.test", "webhook.redeliver", "webhook.send_now"} <= set(verbs)


def test_a_waiting_message_is_cancelled_and_sent_again(
    service: Service, receiver: Receiver, publish: Publish, admin_client: Client, endpoint: Endpoint
) -> None:
    publish()
    delivery = Delivery.objects.get()
    admin_client.post(page(admin_client, delivery, "cancel"))
    assert statuses(endpoint) == ["cancelled"]
    shown = admin_client.get(page(admin_client, delivery)).content.decode()
    assert "Send again" in shown
    action = {"action": "send_selected", "_selected_action": [delivery.pk]}
    admin_client.post(reverse("admin:webhooks_delivery_changelist"), action)
    run(service)
    assert statuses(endpoint) == ["delivered"]


def test_a_new_secret_is_shown_once(admin_client: Client, endpoint: Endpoint) -> None:
    path = page(admin_client, endpoint, "rotate")
    assert "whsec_" not in admin_client.get(path).content.decode()
    shown = admin_client.post(path, {"rotate": "1"})
    endpoint.refresh_from_db()
    assert endpoint.secret in shown.content.decode()
    assert "no-store" in shown["Cache-Control"]
    assert "has two secrets" in admin_client.post(path, {"rotate": "1"}).content.decode()


def test_a_replay_is_begun_watched_and_stopped(
    service: Service, receiver: Receiver, publish: Publish, admin_client: Client, endpoint: Endpoint
) -> None:
    publish()
    run(service)
    path = page(admin_client, endpoint, "replay")
    shown = admin_client.post(path, {"since": "2020-01-01 00:00"}).content.decode()
    replay = Replay.objects.get()
    assert replay.public_id in shown
    service.run("replay_webhooks")
    assert "1 pending" in admin_client.get(page(admin_client, replay)).content.decode()
    admin_client.post(page(admin_client, replay, "stop"))
    replay.refresh_from_db()
    assert replay.status == "cancelled"
    assert "this field is required" in admin_client.post(path, {}).content.decode().lower()


def test_what_a_host_missed_is_replayed_to_all_its_endpoints(
    admin_client: Client, endpoint: Endpoint, project: Project
) -> None:
    other = make_endpoint(project, "https://hooks.example.com/b")
    make_endpoint(project, "https://elsewhere.example/")
    path = reverse("admin:webhooks_endpoint_replay_by_host")
    body = {"receiver": "https://hooks.example.com/", "since": "2020-01-01 00:00"}
    shown = admin_client.post(path, body).content.decode()
    assert "2 replays have begun." in shown
    assert {replay.endpoint_id for replay in Replay.objects.all()} == {endpoint.pk, other.pk}
    assert path in listed(admin_client, "endpoint")


@pytest.mark.parametrize(
    "action", ["send_waiting_now", "pause_selected", "resume_selected", "replay_failed_of_a_day"]
)
def test_actions_on_many_endpoints(admin_client: Client, endpoint: Endpoint, action: str) -> None:
    body = {"action": action, "_selected_action": [endpoint.pk]}
    answered = admin_client.post(reverse("admin:webhooks_endpoint_changelist"), body, follow=True)
    assert "1 endpoints" in answered.content.decode()


def test_who_may_only_look_changes_nothing(
    client: Client, endpoint: Endpoint, project: Project, django_user_model: type[User]
) -> None:
    from django.contrib.auth.models import Permission

    viewer = django_user_model.objects.create_user("viewer", password="x", is_staff=True)
    viewer.user_permissions.add(Permission.objects.get(codename="view_endpoint"))
    client.force_login(viewer)
    shown = client.get(page(client, endpoint)).content.decode()
    assert "Pause" not in shown
    for verb in ("pause", "resume", "test", "send_now", "rotate", "replay"):
        assert client.post(page(client, endpoint, verb)).status_code == 403
    endpoint.refresh_from_db()
    assert endpoint.is_enabled
