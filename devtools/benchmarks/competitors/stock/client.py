"""Client of django-q2's queue."""

from __future__ import annotations

import django

django.setup()

from django.core.management import call_command  # noqa: E402
from django.db import connection, transaction  # noqa: E402
from django.utils import timezone  # noqa: E402
from django_q.models import OrmQ  # noqa: E402
from django_q.signing import SignedPackage  # noqa: E402
from django_q.tasks import async_task  # noqa: E402

from devtools.benchmarks.competitors import effects  # noqa: E402


class StockClient:
    """See Client."""

    def prepare(self) -> None:
        call_command("migrate", verbosity=0)
        _execute(effects.TABLE)

    def clear(self) -> None:
        _execute("TRUNCATE django_q_ormq, django_q_task")
        _execute(effects.EMPTY)

    def fill(self, task: str, count: int) -> None:
        """Insert the rows that async_task would write, at once."""
        now = timezone.now()
        packages = (
            SignedPackage.dumps(
                {
                    "id": f"{number:032x}",
                    "name": str(number),
                    "func": _path(task),
                    "args": (number,),
                    "kwargs": {},
                    "ack_failure": True,
                    "started": now,
                }
            )
            for number in range(count)
        )
        OrmQ.objects.bulk_create(OrmQ(key="stock", payload=each, lock=now) for each in packages)
        _execute("VACUUM ANALYZE django_q_ormq")
        _execute("CHECKPOINT")

    def enqueue(self, task: str, number: int) -> None:
        async_task(_path(task), number)

    def enqueue_many(self, task: str, count: int) -> None:
        with transaction.atomic():
            for number in range(count):
                async_task(_path(task), number)

    def is_drained(self, task: str) -> bool:
        return not OrmQ.objects.exists()


def _path(task: str) -> str:
    return f"devtools.benchmarks.competitors.stock.tasks.{task}"


def _execute(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)
