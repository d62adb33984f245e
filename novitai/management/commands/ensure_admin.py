"""``manage.py ensure_admin``: create an administrator without a prompt."""

import os
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError, CommandParser

VARIABLE = "ADMIN_PASSWORD"


class Command(BaseCommand):
    """Creates the user, or sets the password of an existing one; a second run changes nothing.

    The password comes from the environment, since arguments are visible in the process list.
    """

    help = f"Create an administrator, or set its password, to the value of {VARIABLE}."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--username", default="admin")

    def handle(self, *args: Any, **options: Any) -> None:
        password = os.environ.get(VARIABLE)
        if not password:
            raise CommandError(f"{VARIABLE} is not set.")
        users = get_user_model().objects
        user, _ = users.get_or_create(username=options["username"])
        user.is_staff = user.is_superuser = user.is_active = True
        # A new hash of the same password would end the user's sessions.
        if not user.check_password(password):
            user.set_password(password)
        user.save()
