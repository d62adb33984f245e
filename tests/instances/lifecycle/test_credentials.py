"""Passwords of machines: sealed, shown to one scope, forgotten with the machine."""

from __future__ import annotations

from dataclasses import replace
from io import StringIO
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.core.management import call_command
from django.test import Client
from pydantic import SecretStr

from accounts.models import Project
from accounts.services import create_api_key
from instances.lifecycle import credentials
from instances.models import Instance, InstanceCredentials
from tests.conftest import client_of
from tests.instances.handlers.conftest import HOOK, Service, novita, service
from tests.support.fakes import FakeNovita
from upstream.access import Access
from upstream.types import PortMapping
from webhooks.models import Message

pytestmark = pytest.mark.django_db
__all__ = ["novita", "service"]

PASSWORD = "hunter2-of-the-machine"
ACCESS = Access(
    ssh_command="ssh -p 32787 root@proxy.example",
    ssh_password=PASSWORD,
    jupyter_url=f"https://j.example/?token={PASSWORD}",
    web_terminal_url="https://t.example",
    web_terminal_username="root",
    web_terminal_password=PASSWORD,
)


@pytest.fixture
def running(service: Service, novita: FakeNovita) -> Instance:
    instance = service.placed(webhook_url=HOOK)
    novita.put(instance.upstream_id, status="running", access=ACCESS)
    return service.monitor(instance, times=2)


def opener(project: Project, *scopes: str) -> Client:
    scopes = scopes or ("credentials",)
    return client_of(create_api_key(project=project, name="k", scopes=list(scopes)))


def path(instance: Instance) -> str:
    return f"/api/instances/{instance.public_id}/credentials"


def use_keys(settings: Any, *keys: str) -> None:
    value = SecretStr(",".join(keys)) if keys else None
    settings.CONFIG = settings.CONFIG.model_copy(update={"credentials_keys": value})


def test_access_is_shown_to_a_key_with_the_scope(running: Instance, project: Project) -> None:
    answer = opener(project).get(path(running))
    assert answer.status_code == 200
    assert answer["Cache-Control"] == "no-store"
    body = answer.json()
    assert body.pop("updatedAt").endswith("Z")
    assert body == {
        "instanceId": running.public_id,
        "ssh": {
            "command": "ssh -p 32787 root@proxy.example",
            "host": "proxy.example",
            "port": 32787,
            "username": "root",
            "password": PASSWORD,
        },
        "webTerminal": {"url": "https://t.example", "username": "root", "password": PASSWORD},
        "jupyter": {"url": f"https://j.example/?token={PASSWORD}"},
    }


def test_a_jupyter_that_the_template_starts_itself_is_found_by_its_port(
    service: Service, novita: FakeNovita, project: Project
) -> None:
    """Novita tells of the tool named Jupyter only; the details go by the port, so these do."""
    instance = service.placed()
    ports = (PortMapping(8888, "https://x-8888.gpu.test", "http"),)
    access = replace(ACCESS, jupyter_url="")
    novita.put(instance.upstream_id, status="running", access=access, port_mappings=ports)
    service.monitor(instance, times=2)
    body = opener(project).get(path(instance)).json()
    assert body["jupyter"] == {"url": "https://x-8888.gpu.test"}
    assert body["jupyter"]["url"] == instance.connection["jupyter"]


def test_no_other_scope_opens_it(running: Instance, project: Project) -> None:
    refused = opener(project, "read", "write", "admin").get(path(running))
    assert refused.status_code == 403
    assert PASSWORD not in refused.content.decode()


def test_another_projects_instance_is_not_there(running: Instance, other_project: Project) -> None:
    answer = opener(other_project).get(path(running))
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "INSTANCE_NOT_FOUND")


def test_before_it_runs_and_after_its_end_there_are_none(
    service: Service, novita: FakeNovita, running: Instance, project: Project
) -> None:
    young = service.create()
    answer = opener(project).get(path(young))
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "INVALID_STATE")
    service.ask("terminate", running)
    novita.instances.clear()
    service.ended(running)
    assert running.status == "terminated"
    assert not InstanceCredentials.objects.exists()
    assert opener(project).get(path(running)).status_code == 409


def test_the_secret_is_nowhere_else(
    running: Instance, project: Project, admin_client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    reader = opener(project, "read")
    opener(project).get(path(running))
    kept = InstanceCredentials.objects.get()
    shown = [
        kept.sealed,
        str(kept),
        repr(ACCESS),
        reader.get("/api/instances").content.decode(),
        reader.get(f"/api/instances/{running.public_id}").content.decode(),
        reader.get(f"/api/instances/{running.public_id}/events").content.decode(),
        "".join(Message.objects.values_list("body", flat=True)),
        admin_client.get(f"/admin/instances/instance/{running.pk}/change/").content.decode(),
        caplog.text,
    ]
    assert not any(PASSWORD in text for text in shown)


def test_a_new_key_seals_and_an_old_one_still_opens(running: Instance, settings: Any) -> None:
    old, new = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    use_keys(settings, old)
    assert call_rotation() == "6 secrets were encrypted again"
    use_keys(settings, new, old)
    assert opened(running) == ACCESS
    assert call_rotation() == "6 secrets were encrypted again"
    use_keys(settings, new)
    assert opened(running) == ACCESS


def test_a_key_that_is_lost_is_told_in_words_and_leaks_nothing(
    running: Instance, project: Project, settings: Any
) -> None:
    settings.SECRET_KEY = "another"
    answer = opener(project).get(path(running))
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "INVALID_STATE")
    assert "CREDENTIALS_KEYS" in answer.json()["error"]["message"]
    assert (
        call_rotation()
        == "0 secrets were encrypted again; 6 cannot be decrypted with any configured key"
    )


def test_a_later_observation_replaces_what_was_kept(
    service: Service, novita: FakeNovita, running: Instance
) -> None:
    credentials.keep({running: Access(ssh_command="ssh root@new")}, now=running.created_at)
    assert opened(running).ssh_command == "ssh root@new"
    credentials.keep({running: Access()}, now=running.created_at)
    assert opened(running).ssh_command == "ssh root@new"


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("ssh root@h", {"host": "h", "port": 22, "username": "root"}),
        ("ssh -p 9 h", {"host": "h", "port": 9}),
        ("ssh -o X=y root@h", {}),
        ("", {}),
    ],
)
def test_an_ssh_command_is_taken_apart_where_it_can_be(
    command: str, expected: dict[str, object]
) -> None:
    assert credentials.ssh_target(command) == expected


def opened(instance: Instance) -> Access:
    found = credentials.read(instance)
    assert found is not None
    return found.access


def call_rotation() -> str:
    out = StringIO()
    call_command("rotate_credentials", stdout=out)
    return out.getvalue().strip()
