"""Queries that are compiled once answer as those that are compiled each time."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading

import pytest
from django.db import connection, connections
from django.db.models import F
from django.db.models.functions import Length
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from accounts.models import ApiKey, Project
from accounts.services import create_api_key, find_api_key
from core.prepared import Prepared, PreparedRows
from tests.conftest import client_of
from tests.support.web_server import url_of_this_database

BY_NAME = Prepared(
    lambda name, start: (
        ApiKey.objects.select_related("project")
        .annotate(size=Length(F("digest")))
        .filter(name=name, start=start)
        .order_by()
    ),
    name="the name",
    start="the start",
)


def test_the_row_comes_with_what_it_belongs_to_and_what_was_annotated(
    project: Project, django_assert_num_queries: object
) -> None:
    for name in ("a", "b"):
        create_api_key(project=project, name=name)
    for wanted in ApiKey.objects.all():
        found = BY_NAME.first(name=wanted.name, start=wanted.start)
        assert found == wanted
        assert found is not None
        assert "project" in found._state.fields_cache
        assert (found.project, found.scopes) == (project, ["read", "write"])
        assert vars(found)["size"] == 64
        assert vars(found).keys() - {"size"} == vars(wanted).keys()
        assert not found._state.adding


@pytest.mark.django_db(transaction=True)
def test_rows_come_as_columns_and_are_planned_anew(
    kept_plans: None, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    project = Project.objects.create(name="p")
    rows = PreparedRows(
        lambda owner: ApiKey.objects.annotate(size=Length("digest")).filter(project=owner),
        ("name", "scopes", "size"),
        owner=-7,
    )
    assert rows.all(owner=project.pk) == []
    for name in ("a", "b"):
        create_api_key(project=project, name=name)
    with django_assert_num_queries(1):
        found = rows.all(owner=project.pk)
    assert sorted(found) == [("a", ["read", "write"], 64), ("b", ["read", "write"], 64)]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%digest%'"
        )
        assert cursor.fetchone() == (0,)


@pytest.mark.django_db
def test_what_is_not_there_is_none() -> None:
    assert BY_NAME.first(name="x", start="y") is None


@pytest.mark.django_db
@pytest.mark.parametrize("value", ["' OR 1=1 --", "%s", "the start", "\\", "ü"])
def test_values_stay_values(value: str) -> None:
    assert BY_NAME.first(name=value, start=value) is None


@pytest.mark.django_db
def test_an_example_that_becomes_no_parameter_is_refused_at_the_first_use() -> None:
    wrong = Prepared(lambda name: ApiKey.objects.filter(name__in=[]).order_by(), name="n")
    with pytest.raises(Exception):  # noqa: B017 - Django's own, or ours
        wrong.first(name="x")


@pytest.mark.django_db(transaction=True)
def test_threads_share_what_was_compiled_and_not_the_connection() -> None:
    project = Project.objects.create(name="p")
    key = create_api_key(project=project, name="k")
    found: list[ApiKey | None] = []

    def read() -> None:
        found.append(find_api_key(key))
        connections.close_all()

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [ApiKey.objects.get()] * 4


@pytest.mark.django_db(transaction=True)
def test_a_connection_that_the_server_has_closed_is_replaced_by_the_first_query() -> None:
    project = Project.objects.create(name="p")
    api = client_of(create_api_key(project=project, name="k"))
    assert api.get("/api/jobs").status_code == 200
    pid = connection.connection.info.backend_pid
    killer = connection.copy()
    try:
        with killer.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
    finally:
        killer.close()
    assert api.get("/api/jobs").status_code == 200


@pytest.mark.django_db(transaction=True)
def test_a_kept_plan_that_a_migration_made_useless_is_made_again(kept_plans: None) -> None:
    Project.objects.create(name="p")
    by_name = Prepared(lambda name: Project.objects.filter(name=name).order_by(), name="the name")
    assert by_name.first(name="p") is not None
    # By somebody else: psycopg forgets its plans where it sees an ALTER itself.
    migrating = connection.copy()
    try:
        with migrating.cursor() as cursor:
            cursor.execute("ALTER TABLE accounts_project ALTER webhook_secret TYPE varchar(201)")
            try:
                found = by_name.first(name="p")
            finally:
                cursor.execute("ALTER TABLE accounts_project ALTER webhook_secret TYPE text")
    finally:
        migrating.close()
    assert found == Project.objects.get()


@pytest.mark.django_db(transaction=True)
def test_the_plan_is_made_once(kept_plans: None) -> None:
    create_api_key(project=Project.objects.create(name="p"), name="k")
    for _ in range(10):
        assert find_api_key("nvt_no-such-key-at-all") is None
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT generic_plans > 0 FROM pg_prepared_statements WHERE statement LIKE %s",
            ["%accounts_apikey%"],
        )
        assert cursor.fetchall() == [(True,)]


@pytest.mark.django_db(transaction=True)
def test_a_plan_made_while_there_is_nothing_is_right_for_many_rows_too(
    kept_plans: None, api: Client
) -> None:
    """It is kept until somebody analyses the table, and by then there may be thousands."""
    with connection.cursor() as cursor:
        # As in a new database: Postgres knows of a table that was vacuumed that it is empty.
        cursor.execute("TRUNCATE instances_instance CASCADE")
    for _ in range(10):
        assert api.get("/api/instances/inst_none").status_code == 404
    with connection.cursor() as cursor:
        cursor.execute("SELECT name, statement FROM pg_prepared_statements")
        kept = {
            table: name
            for name, statement in cursor.fetchall()
            for table in re.findall('FROM "([a-z_]+)"', statement)
        }
        conditions = {}
        for table, name in kept.items():
            cursor.execute(f"EXPLAIN EXECUTE {name}('x')")
            plan = "\n".join(line for (line,) in cursor.fetchall())
            conditions[table] = re.findall(r"Index Cond: \(\((\w+)\)::text = \$1\)", plan)
    assert conditions == {"accounts_apikey": ["digest"], "instances_instance": ["public_id"]}


@pytest.mark.parametrize(("entry", "threshold"), [("novitai.server.wsgi", "0"), ("django", "None")])
def test_only_who_serves_requests_keeps_plans(db: None, entry: str, threshold: str) -> None:
    """A worker's claims have plans of their own, which psycopg would throw away with its own."""
    code = (
        f"import django; django.setup(); import {entry}\n"
        "from django.db import connection; connection.ensure_connection()\n"
        "print(connection.connection.prepare_threshold)"
    )
    environ = {**os.environ, "DATABASE_URL": url_of_this_database()}
    told = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True)
    assert told.stdout.strip() == threshold, told.stderr
