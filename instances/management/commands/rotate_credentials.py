"""``manage.py rotate_credentials``: seals all secrets with the newest key.

For use after a new first key in CREDENTIALS_KEYS, or after a new SECRET_KEY with the former one in
SECRET_KEY_PREVIOUS.
"""

from typing import Any

from django.core.management.base import BaseCommand

from instances.services.resealing import reseal_everything


class Command(BaseCommand):
    """Seals everything again, in batches; may be repeated at any time."""

    help = "Encrypt all secrets in the database again with the first key of CREDENTIALS_KEYS."

    def handle(self, *args: Any, **options: Any) -> str:
        count = reseal_everything()
        left = (
            f"; {count.unreadable} cannot be decrypted with any configured key"
            if count.unreadable
            else ""
        )
        return f"{count.sealed} secrets were encrypted again{left}"
