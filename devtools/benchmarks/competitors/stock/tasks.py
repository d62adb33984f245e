"""Tasks of django-q2's workers."""

import time

from django.db import connection

from devtools.benchmarks.competitors.effects import INSERT
from devtools.benchmarks.markers import put_marker, release_file


def noop(_: int) -> None:
    """Does nothing."""


def commit(number: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(INSERT, [number])


def mark(number: int) -> None:
    put_marker([number])


def hang(number: int) -> None:
    put_marker([number])
    while not release_file().exists():
        time.sleep(0.2)
