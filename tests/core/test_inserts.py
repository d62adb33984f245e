"""Rows that are written together, in one statement."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import IntegrityError, connection
from django.db.models import Model
from pytest_django import DjangoAssertNumQueries

from accounts.models import Project
from core.inserts import insert
from instances.models import Instance, InstanceEvent
from jobs.models import Job
from jobs.queue import CHANNEL

SPEC = {"name": "a", "product_name": "p", "template_id": "t", "gpu_num": 1}
SPEC |= {"rootfs_size_gb": 60, "region": "r"}


def test_an_inserted_row_is_the_row_that_save_would_have_made(project: Project) -> None:
    saved, inserted = Instance(**SPEC, project=project), Instance(**SPEC, project=project)
    saved.save()
    insert(inserted)
    assert not inserted._state.adding
    assert inserted.pk == saved.pk + 1
    own = {"id", "public_id", "reference", "_state", "created_at", "status_changed_at"}
    for read in (inserted, Instance.objects.get(pk=inserted.pk)):
        for name, value in vars(Instance.objects.get(pk=saved.pk)).items():
            assert name in own or getattr(read, name) == value, name
    inserted.name = "b"
    inserted.save()
    assert Instance.objects.get(pk=inserted.pk).name == "b"


def test_rows_that_refer_to_each_other_are_one_statement_and_know_their_keys(
    project: Project, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    rows = family(project)
    with django_assert_num_queries(1):
        insert(*rows, wake=CHANNEL)
    instance, event, job = rows
    for row in rows:
        kept = type(row)._default_manager.get(pk=row.pk)
        for name, value in vars(kept).items():
            assert name == "_state" or getattr(row, name) == value, name
    assert InstanceEvent.objects.get().instance == instance
    assert vars(event)["instance_id"] == instance.pk
    assert Job.objects.get() == job


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("position", [0, 1, 2])
def test_without_a_transaction_all_are_written_or_none(position: int) -> None:
    rows = family(Project.objects.create(name="p"))
    name, wrong = [("status", "lost"), ("sequence", -1), ("priority", 99)][position]
    setattr(rows[position], name, wrong)
    with pytest.raises(IntegrityError):
        insert(*rows)
    assert not any(type(row)._default_manager.exists() for row in rows)
    assert all(row._state.adding and row.pk is None for row in rows)


def test_each_combination_of_rows_has_its_own_statement(project: Project) -> None:
    (one, _, job), (other, event, _) = family(project), family(project)
    insert(job, one)
    insert(other)
    insert(event)
    assert (Instance.objects.count(), Job.objects.count()) == (2, 1)
    assert InstanceEvent.objects.get().instance == other


@pytest.mark.django_db(transaction=True)
def test_who_listens_is_woken_by_the_commit_and_not_by_what_came_to_nothing() -> None:
    project = Project.objects.create(name="p")
    listener = connection.copy()
    try:
        with listener.cursor() as cursor:
            cursor.execute(f"LISTEN {CHANNEL}")
        rows = family(project)
        setattr(rows[2], "priority", 99)  # noqa: B010 - a Model has no such attribute
        with pytest.raises(IntegrityError):
            insert(*rows, wake=CHANNEL)
        insert(*family(project), wake=CHANNEL)
        with listener.cursor() as cursor:
            cursor.execute("SELECT 1")
        assert listener.connection is not None
        woken = [each.channel for each in listener.connection.notifies(timeout=0)]
    finally:
        listener.close()
    assert woken == [CHANNEL]


def family(project: Project) -> list[Model]:
    """An instance, its first event and a job, as a request makes them."""
    spec: dict[str, Any] = SPEC
    instance = Instance(**spec, project=project)
    event = InstanceEvent(
        project=project, instance=instance, sequence=1, type="instance.creating", actor="tests"
    )
    job = Job(type="create_instance", project=project, subject=instance.public_id)
    return [instance, event, job]
