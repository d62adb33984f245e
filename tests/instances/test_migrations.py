"""Upgrades of a database that holds rows and is being written to."""

import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
from django.db import DatabaseError, connection, connections, transaction
from django.db.migrations.executor import MigrationExecutor
from django.db.models import Index

from accounts.models import Project
from instances.domain.types import Cause, InstanceRequest
from instances.models import Instance, InstanceEvent
from instances.services import create_instance
from tests.support.stacks import copied_database

BEFORE_STREAMS, BEFORE_INDEXES = "0007_credentials_and_readiness", "0009_lists_tags_version"
NEWEST = "0010_indexes_of_lists_and_streams"
# Indexes of later releases, which have tests of their own.
LATER = {"instance_made_by"}
# Less than a build has to wait for here, and enough for what a busy machine has to do besides.
LIMITS = "-c lock_timeout=1500ms -c statement_timeout=1500ms"


@pytest.fixture
def upgraded(template_database: None, transactional_db: None) -> Iterator[None]:
    """Meanwhile, ``connection`` is to a database of its own, with two instances in it."""
    project = Project.objects.create(name="alpha")
    for name in ("one", "two"):
        spec = InstanceRequest(name, "RTX 4090", "tpl", "CN-HK-01")
        create_instance(project=project, spec=spec, cause=Cause("tests"))
    original = connection.settings_dict["NAME"]
    with copied_database() as copy:
        # New threads find it there, too.
        connection.settings_dict["NAME"] = copy.name
        try:
            yield
        finally:
            connection.close()
            connection.settings_dict["NAME"] = original


def migrate(name: str) -> None:
    MigrationExecutor(connection).migrate([("instances", name)])


def ask(statement: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall() if cursor.description else []


def validity() -> dict[str, bool]:
    return dict(
        ask(
            "SELECT relname, indisvalid FROM pg_index JOIN pg_class ON oid = indexrelid"
            " WHERE indrelid IN ('instances_instance'::regclass,"
            " 'instances_instanceevent'::regclass)"
        )
    )


def declared() -> set[str]:
    indexes: list[Index] = [*Instance._meta.indexes, *InstanceEvent._meta.indexes]
    return {index.name for index in indexes} - LATER


def test_an_upgrade_keeps_what_is_there_and_builds_every_index(upgraded: None) -> None:
    migrate(BEFORE_STREAMS)
    assert not declared() <= set(validity())
    migrate(NEWEST)
    names = ask("SELECT name, tags::text, version FROM instances_instance ORDER BY id")
    assert names == [("one", "{}", 1), ("two", "{}", 1)]
    assert ask("SELECT xid::text FROM instances_instanceevent") == [("0",), ("0",)]
    assert declared() <= set(validity())
    assert all(validity().values())


def test_an_index_whose_build_failed_is_built_anew_and_a_finished_one_stays(upgraded: None) -> None:
    migrate(BEFORE_INDEXES)
    with pytest.raises(DatabaseError):
        # Both rows are of one project.
        ask("CREATE UNIQUE INDEX CONCURRENTLY instance_list_age ON instances_instance (project_id)")
    assert validity()["instance_list_age"] is False
    ask("CREATE INDEX instance_list_region ON instances_instance (project_id)")
    finished = ask("SELECT 'instance_list_region'::regclass::oid")
    migrate(NEWEST)
    assert all(validity().values())
    assert ask("SELECT 'instance_list_region'::regclass::oid") == finished


def test_writers_go_on_while_an_index_waits_for_one_of_them_longer_than_requests_may(
    upgraded: None,
) -> None:
    migrate(BEFORE_INDEXES)
    with ThreadPoolExecutor(1) as builder, ThreadPoolExecutor(1) as writer:
        with transaction.atomic():
            ask("UPDATE instances_instance SET version = version WHERE name = 'one'")
            build = builder.submit(_migrate_with_limits)
            assert writer.submit(_write_when_it_waits, build).result() == [(2,)]
            assert not build.done()
        build.result()
    assert all(validity().values())


def _migrate_with_limits() -> None:
    own = connections["default"]
    own.settings_dict = {**own.settings_dict, "OPTIONS": {"options": LIMITS}}
    try:
        migrate(NEWEST)
    finally:
        connection.close()


def _write_when_it_waits(build: "Future[None]") -> list[tuple[Any, ...]]:
    poll = threading.Event()
    try:
        while not ask(_WAITS_LONG) and not build.done():
            poll.wait(0.01)
        ask("SET lock_timeout = '1s'")
        return ask("UPDATE instances_instance SET region = '' WHERE name = 'two' RETURNING version")
    finally:
        connection.close()


_WAITS_LONG = """
SELECT 1 FROM pg_stat_activity
WHERE datname = current_database() AND query LIKE 'CREATE INDEX CONCURRENTLY%'
    AND wait_event_type = 'Lock' AND clock_timestamp() - query_start > '1700 ms'
"""
