"""``manage.py rotate_credentials``: after a new key has been put first in CREDENTIALS_KEYS, or
after a new SECRET_KEY has taken the place of one that SECRET_KEY_PREVIOUS names.
"""

from typing import Any

from django.core.management.base import BaseCommand

from instances.services.resealing import reseal_everything


class Command(BaseCommand):
    """Seals everything anew, in bites; can be run again at any time."""

    help = "Seal all secrets in the database with the first of CREDENTIALS_KEYS."

    def handle(self, *args: Any, **options: Any) -> str:
        count = reseal_everything()
        left = f"; {count.unreadable} cannot be opened with any key" if count.unreadable else ""
        return f"{count.sealed} sealed anew{left}"
