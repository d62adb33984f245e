"""The version behind the ETag: moves with what callers see, whoever writes it and however."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, models

from accounts.models import Project
from core.clock import database_now
from instances.domain.types import Cause
from instances.lifecycle.representation import InstanceDetails
from instances.models import Instance
from instances.monitoring.snapshot import save_observations
from instances.services import start_instance, terminate_instance
from tests.instances.api.test_read import make, make_full
from tests.instances.api.test_verbs import in_status

# Columns that no write changes, and those that have to agree with others.
FIXED = {"id", "public_id", "project", "version", "reference"}
VALID = {
    "status": "stopped",
    "billing_mode": "onDemand",
    "create_step": "placed",
    "on_start_failure": "keep",
    "error_code": "STARTUP_TIMEOUT",
    "upstream_status": "exited",
    "posted_at": timedelta(hours=1),
}
# Not shown, but changed by PATCH: two callers must not overwrite each other's.
# trouble_message is shown beside its code only, and this instance has none.
COUNTED_UNSEEN = {"webhook_url", "trouble_message"}
# Shown only through costUsd, which grows by itself.
UNCOUNTED = {"closed_cost_e5_usd", "billing_since"}


def another(field: "models.Field[Any, Any]", value: Any) -> Any:
    if field.name in VALID and not isinstance(VALID[field.name], timedelta):
        return VALID[field.name]
    if isinstance(field, models.DateTimeField):
        return (value or database_now()) + timedelta(hours=1)
    if isinstance(field, models.BooleanField):
        return not value
    if isinstance(field, models.JSONField):
        port = {"port": 1, "type": "tcp", "endpoint": ""}
        return [port] if field.name == "port_mappings" else {"ssh": "other"}
    if isinstance(field, models.IntegerField):
        return (value or 0) + 1
    return f"{value}x"[-field.max_length :] if field.max_length else f"{value}x"


def shown(instance: Instance) -> str:
    instance.refresh_from_db()
    details = InstanceDetails.of(instance, now=instance.created_at).as_json()
    details.pop("costUsd", None)
    return json.dumps(details, sort_keys=True)


@pytest.mark.parametrize(
    "name", [field.name for field in Instance._meta.fields if field.name not in FIXED]
)
def test_it_moves_exactly_with_what_is_shown(project: Project, name: str) -> None:
    instance = make_full(project)
    before, version = shown(instance), instance.version
    field = Instance._meta.get_field(name)
    value = another(field, getattr(instance, name))  # type: ignore[arg-type]
    Instance.objects.filter(pk=instance.pk).update(**{name: value})
    is_seen = shown(instance) != before
    assert not (is_seen and name in UNCOUNTED)
    assert instance.version == version + (is_seen or name in COUNTED_UNSEEN)


def by_service(instance: Instance) -> None:
    start_instance(public_id=instance.public_id, cause=Cause("tests"))


def by_ending(instance: Instance) -> None:
    terminate_instance(public_id=instance.public_id, cause=Cause("tests"))


def by_save(instance: Instance) -> None:
    instance.name = "other"
    instance.save()


def by_save_of_one_field(instance: Instance) -> None:
    instance.upstream_status = "exited"
    instance.save(update_fields=["upstream_status"])


def by_bulk_update(instance: Instance) -> None:
    instance.upstream_status = "exited"
    Instance.objects.bulk_update([instance], ["upstream_status"])


def by_a_whole_list(instance: Instance) -> None:
    instance.upstream_status = "exited"
    save_observations([instance], [instance], now=database_now())


def by_hand(instance: Instance) -> None:
    with connection.cursor() as cursor:
        cursor.execute('UPDATE instances_instance SET tags = \'{"a": "b"}\'')


@pytest.mark.parametrize(
    "write",
    [
        *(by_service, by_ending, by_save, by_save_of_one_field, by_bulk_update),
        *(by_a_whole_list, by_hand),
    ],
)
def test_every_way_of_writing_moves_it(project: Project, write: Any) -> None:
    instance = in_status(project, "stopped")
    version = instance.version
    write(instance)
    instance.refresh_from_db()
    assert instance.version > version


def test_writes_of_what_nobody_sees_leave_it(project: Project) -> None:
    instance = in_status(project, "running")
    version = instance.version
    save_observations([], [instance], now=database_now())
    instance.save()
    instance.refresh_from_db()
    assert instance.version == version


def test_a_row_saved_from_an_old_memory_does_not_turn_it_back(project: Project) -> None:
    old = make(project)
    for name in ("b", "c", "d"):
        Instance.objects.filter(pk=old.pk).update(name=name)
    old.name = "e"
    old.save()
    old.refresh_from_db()
    assert old.version == 5
