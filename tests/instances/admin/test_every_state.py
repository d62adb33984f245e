"""Every button in every state: one that is shown works, and what is said is what happened."""

from __future__ import annotations

import re

import pytest
from django.test import Client
from django.urls import reverse

from instances.domain.enums import InstanceStatus
from instances.models import Instance
from tests.instances.admin.conftest import Make

VERBS = ("start", "stop", "restart", "again", "terminate")
SAID = re.compile(r'<li class="(success|info|error)">(.*?)</li>')


def page_of(client: Client, instance: Instance) -> str:
    page = reverse("admin:instances_instance_change", args=[instance.pk])
    return client.get(page).content.decode()


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("status", InstanceStatus.values)
def test_what_is_said_of_a_button_is_what_happened(
    admin_client: Client, make: Make, status: str, verb: str
) -> None:
    """Also of one that is not shown: the page may be old, and actions on lists are always there."""
    instance = make(status)
    button = reverse(f"admin:instances_instance_{verb}", args=[instance.pk])
    is_shown = button in page_of(admin_client, instance)
    answer = admin_client.post(button, follow=True)
    ((level, words),) = SAID.findall(answer.content.decode())
    instance.refresh_from_db()
    is_changed = instance.status != status or Instance.objects.count() == 2
    assert is_shown == is_changed == (level == "success"), words
    if level == "error":
        assert f"is {status} and cannot" in words
