"""A stream leaves out no event and changes no order, whatever commits when."""

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.test import Client

from accounts.models import Project
from instances.models import Instance, InstanceEvent
from instances.novita import installation
from instances.streaming.queries import BEGINNING, events_after, newest_final
from tests.instances.streaming.conftest import make, move
from tests.instances.streaming.test_stream import stream


def test_a_late_commit_holds_back_what_came_after_it(
    api: Client, instance: Instance, project: Project
) -> None:
    late, reader = make(project), None
    other: BaseDatabaseWrapper = connection.copy()
    try:
        other.set_autocommit(False)
        with other.cursor() as cursor:
            cursor.execute(
                "INSERT INTO instances_instanceevent (public_id, project_id, instance_id, sequence,"
                " type, from_status, to_status, actor, cause, request_id, job_id, data)"
                " VALUES ('evt_late', %s, %s, 2, 'instance.late',"
                " '', '', 'tests', '', '', '', '{}')",
                [project.pk, late.pk],
            )
        reader = stream(api)
        move(instance, "starting")
        older, newer = late.pk, instance.pk
        assert _is_withheld(project, newer)
        other.commit()
        assert [reader.next()["type"], reader.next()["type"]] == [
            *("instance.late",),
            "instance.starting",
        ]
        assert older != newer
    finally:
        other.close()
        if reader is not None:
            reader.close()


def _is_withheld(project: Project, instance_id: int) -> bool:
    rows = events_after({project.pk: BEGINNING})
    return not next(row for row in reversed(rows) if row.instance_id == instance_id).is_final


def test_a_lost_connection_is_replaced_and_what_it_did_not_hear_is_looked_for(
    api: Client, instance: Instance
) -> None:
    reader = stream(api)
    move(instance, "starting")
    assert reader.next()["sequence"] == 2
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        assert len(cursor.fetchall()) >= 2
    move(instance, "running", "stopped")
    assert [reader.next()["sequence"], reader.next()["sequence"]] == [3, 4]
    reader.close()


def test_events_can_be_changed_by_nobody_for_anything(instance: Instance) -> None:
    for change in ({"xid": 0}, {"type": "instance.other"}):
        with pytest.raises(IntegrityError), transaction.atomic():
            InstanceEvent.objects.update(**change)
    with pytest.raises(IntegrityError), transaction.atomic():
        InstanceEvent.objects.all().delete()


def test_events_of_another_server_are_shown_once_the_copy_is_accepted(
    api: Client, instance: Instance, project: Project
) -> None:
    copied = InstanceEvent.objects.create(
        project=project, instance=instance, sequence=99, type="instance.old", actor="x", xid=10**15
    )
    installation.accept()
    assert InstanceEvent.objects.get(pk=copied.pk).xid == 0
    assert InstanceEvent.objects.get(sequence=1).xid > 0
    move(instance, "starting")
    reader = stream(api, "?lastEventId=start")
    assert {reader.next()["sequence"] for _ in range(3)} == {1, 2, 99}
    reader.close()


def test_a_stream_begins_behind_the_newest_transaction_also_past_a_power_of_ten(
    project: Project,
) -> None:
    """9 and 10: as text they would stand the other way round."""
    instance = make(project)
    other = Project.objects.create(name="other")
    for sequence, xid in ((2, 9), (3, 10)):
        InstanceEvent.objects.create(
            project=other, instance=instance, sequence=sequence, type="a.b", xid=xid
        )
    newest = newest_final(other.pk)
    assert newest is not None
    assert newest[0] == InstanceEvent.objects.get(sequence=3).public_id


def test_what_is_open_in_another_database_of_the_server_holds_nothing_back(
    project: Project,
) -> None:
    elsewhere = connection.copy()
    elsewhere.settings_dict = {**elsewhere.settings_dict, "NAME": "postgres"}
    try:
        with elsewhere.cursor() as cursor:
            cursor.execute("BEGIN")
            cursor.execute("SELECT pg_current_xact_id()")
            make(project)
            newest = newest_final(project.pk)
            cursor.execute("ROLLBACK")
    finally:
        elsewhere.close()
    assert newest is not None
    assert newest[0] == InstanceEvent.objects.get().public_id
