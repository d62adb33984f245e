"""A copy of the database opens nothing: every row of every table, after a whole life."""

from __future__ import annotations

import json
from dataclasses import replace
from io import StringIO
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import connection
from django.test import Client
from pydantic import SecretStr

from accounts.models import Project
from accounts.services import create_api_key
from accounts.webhook_secrets import webhook_secret_of
from core.sealing import Unreadable
from instances.catalogue import cache
from instances.domain.types import Cause
from instances.models import CachedTemplate, Installation, Instance
from instances.novita import client_factory
from instances.services import resealing, terminate_instance
from jobs.models import Job
from tests.conftest import client_of
from tests.instances.handlers.conftest import Service, novita, receiver, service
from tests.instances.handlers.webhook_receiver import Receiver, answer, send
from tests.support.fakes import TEMPLATE, FakeNovita
from upstream.access import Access
from upstream.types import EnvVar
from webhooks.models import Delivery

pytestmark = pytest.mark.django_db
__all__ = ["novita", "receiver", "service"]

TOKEN = "t0ken-of-the-receiver"
URL = f"https://hooks.example/services/{TOKEN}?key={TOKEN}"
ENV_VALUE = "hf_value-of-the-environment"
REGISTRY = "robot:s3cr3tPassw0rd"
MACHINE = "password-of-the-machine"
OPERATOR = "password-of-the-operator"


def dump() -> str:
    """What pg_dump would write, as text."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT quote_ident(schemaname) || '.' || quote_ident(tablename) FROM pg_tables"
            " WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
        )
        tables = [name for (name,) in cursor.fetchall()]
        rows = []
        for table in tables:
            cursor.execute(f"SELECT t::text FROM {table} AS t")
            rows += [f"{table}: {row}" for (row,) in cursor.fetchall()]
    return "\n".join(rows)


def found_in(text: str, *secrets: str) -> list[str]:
    return [line[:300] for line in text.splitlines() if any(each in line for each in secrets)]


def test_after_a_whole_life_no_secret_stands_in_any_table(
    service: Service, novita: FakeNovita, receiver: Receiver, project: Project
) -> None:
    template = replace(
        TEMPLATE, envs=(EnvVar("HF_TOKEN", ENV_VALUE),), image_auth_id=REGISTRY, start_command=TOKEN
    )
    key = create_api_key(project=project, name="k")
    browser = Client()
    User.objects.create_superuser("ada", password=OPERATOR)
    browser.post("/admin/login/", {"username": "ada", "password": OPERATOR})
    cookie = browser.cookies["sessionid"].value

    body = {
        "name": "a",
        "productName": "RTX 4090",
        "templateId": TEMPLATE.id,
        "webhookUrl": URL,
    }
    made = client_of(key).post(
        "/api/instances", body, "application/json", headers={"Idempotency-Key": "order-1"}
    )
    assert made.status_code == 201
    cache.keep_template(TEMPLATE.id, template)
    instance = service.placed(webhook_url=URL)
    novita.put(instance.upstream_id, status="running", access=Access(ssh_password=MACHINE))
    instance = service.monitor(instance, times=2)
    receiver.answers = [answer(500), answer(410)]
    send(service, times=2)
    changed = client_of(key).patch(
        f"/api/instances/{instance.public_id}", {"webhookUrl": f"{URL}&2"}, "application/json"
    )
    assert changed.status_code == 200
    terminate_instance(public_id=instance.public_id, cause=Cause("tests"))
    send(service, times=2)
    text = dump()
    assert "instances_instance:" in text
    secret, signing_key = webhook_secret_of(project), client_factory.name_signer().signing_key
    assert found_in(text, secret, secret.removeprefix("whsec_"), signing_key) == []
    assert found_in(text, TOKEN, ENV_VALUE, REGISTRY, "s3cr3tPassw0rd", MACHINE, OPERATOR) == []
    assert found_in(text, cookie, key) == []
    # And everything is still usable.
    assert Instance.objects.get(pk=instance.pk).webhook_url == f"{URL}&2"
    assert dict(CachedTemplate.objects.get().data)["image_auth_id"] == REGISTRY
    assert browser.get("/admin/").status_code == 200


def plainly(table: str, column: str, value: str) -> None:
    """As the release before wrote it."""
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE {table} SET {column} = %s", [value])


def legacy(service: Service, project: Project) -> Instance:
    instance = service.create(webhook_url="https://a.example/")
    cache.keep_template(TEMPLATE.id, replace(TEMPLATE, envs=(EnvVar("A", ENV_VALUE),)))
    client_factory.name_signer()
    plainly("instances_instance", "webhook_url", URL)
    plainly("accounts_project", "webhook_secret", "whsec_cGxhaW5seS1rZXB0LXNlY3JldC1vbGQ=")
    plainly("instances_installation", "signing_key", "ab" * 32)
    plain = json.dumps({"id": "1", "name": "n", "envs": [{"key": "A", "value": ENV_VALUE}]})
    plainly("instances_cachedtemplate", "data", plain)
    Job.objects.filter(type="create_instance").update(
        payload={"webhookUrl": URL, "instanceId": "x"}
    )
    Job.objects.filter(type="deliver_webhooks").update(payload={"url": URL, "deliveryId": "msg_1"})
    plainly("webhooks_endpoint", "url", URL)
    return instance


PLAIN = (TOKEN, "cGxhaW5seS1rZXB0", "ab" * 32, ENV_VALUE)


def test_what_the_release_before_kept_is_read_as_it_is_and_sealed_by_the_worker(
    service: Service, project: Project
) -> None:
    instance = legacy(service, project)
    assert Instance.objects.get(pk=instance.pk).webhook_url == URL
    assert client_factory.name_signer().signing_key == "ab" * 32
    assert found_in(dump(), *PLAIN) != []
    assert resealing.seal_plain_values(seconds=60)
    assert found_in(dump(), *PLAIN) == []
    assert Instance.objects.get(pk=instance.pk).webhook_url == URL
    assert client_factory.name_signer().signing_key == "ab" * 32
    project.refresh_from_db()
    assert webhook_secret_of(project) == "whsec_cGxhaW5seS1rZXB0LXNlY3JldC1vbGQ="
    assert CachedTemplate.objects.get().data["envs"][0]["value"] == ENV_VALUE
    jobs = Job.objects.filter(type="deliver_webhooks")
    payloads = set(jobs.values_list("payload__url", flat=True))
    assert payloads == {"https://hooks.example/…"}
    before = dump()
    assert resealing.seal_plain_values(seconds=60)
    assert dump() == before


def test_sealing_goes_on_where_its_time_was_over(service: Service, project: Project) -> None:
    legacy(service, project)
    runs = 1
    while not resealing.seal_plain_values(seconds=0):
        runs += 1
        assert runs < 20
    assert runs > 1
    assert found_in(dump(), *PLAIN) == []


def test_a_new_secret_key_opens_what_the_former_one_sealed(
    service: Service, project: Project, settings: Any
) -> None:
    instance = legacy(service, project)
    resealing.seal_plain_values(seconds=60)
    former, settings.SECRET_KEY = settings.SECRET_KEY, "a new one of fifty characters or a few more"
    with pytest.raises(Unreadable):
        client_factory.name_signer()
    settings.SECRET_KEY_FALLBACKS = (former,)
    assert Instance.objects.get(pk=instance.pk).webhook_url == URL
    out = StringIO()
    call_command("rotate_credentials", stdout=out)
    assert out.getvalue().strip() == "6 secrets were encrypted again"
    settings.SECRET_KEY_FALLBACKS = ()
    assert Instance.objects.get(pk=instance.pk).webhook_url == URL
    assert client_factory.name_signer().signing_key == "ab" * 32


def test_keys_of_their_own_can_be_introduced(
    service: Service, project: Project, settings: Any
) -> None:
    instance = legacy(service, project)
    keys = {"credentials_keys": SecretStr(Fernet.generate_key().decode())}
    settings.CONFIG = settings.CONFIG.model_copy(update=keys)
    resealing.seal_plain_values(seconds=60)
    settings.SECRET_KEY = "a new one of fifty characters or a few more"
    assert Instance.objects.get(pk=instance.pk).webhook_url == URL


def test_an_unchanged_address_is_written_back_as_it_was_sealed(service: Service) -> None:
    """Else each save would be a change that callers see in the ETag."""
    instance = service.create(webhook_url=URL)
    before = Instance.objects.get(pk=instance.pk)
    again = Instance.objects.get(pk=instance.pk)
    assert again.webhook_url == URL
    again.save()
    assert Instance.objects.get(pk=instance.pk).version == before.version


def test_an_instance_without_a_receiver_stays_findable_as_such(service: Service) -> None:
    service.create()
    assert Instance.objects.filter(webhook_url="").count() == 1
    assert Installation.objects.count() <= 1
    assert not Delivery.objects.exists()
