"""``manage.py rotate_credentials``: after a new key has been put first in CREDENTIALS_KEYS."""

from typing import Any

from django.core.management.base import BaseCommand
from django.db import transaction

from instances import credentials
from instances.models import InstanceCredentials

BITE_ROWS = 500


class Command(BaseCommand):
    """Seals everything anew, in bites; can be run again at any time."""

    help = "Seal the credentials of all instances with the first of CREDENTIALS_KEYS."

    def handle(self, *args: Any, **options: Any) -> str:
        last, seen, done = 0, 0, 0
        while True:
            with transaction.atomic():
                rows = list(
                    InstanceCredentials.objects.select_for_update()
                    .filter(pk__gt=last)
                    .order_by("pk")[:BITE_ROWS]
                )
                done += credentials.reseal(rows)
            if not rows:
                break
            last, seen = rows[-1].pk, seen + len(rows)
        left = f"; {seen - done} cannot be opened with any key" if seen > done else ""
        return f"{done} sealed anew{left}"
