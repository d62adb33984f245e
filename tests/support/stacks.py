"""Databases for real stacks, copied from the database of the running tests."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from django.db import connection
from django.db.backends.base.creation import TEST_DATABASE_PREFIX
from django.test.utils import setup_databases, teardown_databases

from devtools.faults.real.databases import Database, Server, copy_of


@contextmanager
def made_database() -> Iterator[None]:
    """The test database, made here if pytest-django saw no need of it.

    It makes one only if a chosen test says that it uses it, which no story about real processes
    does.
    """
    name = str(connection.settings_dict["NAME"])
    if name.startswith(TEST_DATABASE_PREFIX):
        yield
        return
    before = setup_databases(verbosity=0, interactive=False, aliases={"default": True})
    yield
    teardown_databases(before, verbosity=0)


def copied_database() -> AbstractContextManager[Database]:
    # Postgres copies a template only while nobody is connected to it.
    connection.close()
    return copy_of(server_of_tests(), str(connection.settings_dict["NAME"]))


def server_of_tests() -> Server:
    parameters = connection.get_connection_params()
    names = ("host", "port", "user", "password")
    host, port, user, password = (str(parameters.get(name) or "") for name in names)
    return Server(host, port, user, password)
