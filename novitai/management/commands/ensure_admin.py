"""``manage.py ensure_admin``: an operator to sign in with, without a prompt."""

import os
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError, CommandParser

VARIABLE = "ADMIN_PASSWORD"


class Command(BaseCommand):
    """Makes the user, or gives an existing one that password: run twice, nothing changes.

    The password comes from the environment: arguments show in the process list.
    """

    help = f"Make sure that an administrator can sign in with the password in {VARIABLE}."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--username", default="admin")

    def handle(self, *args: Any, **options: Any) -> None:
        password = os.environ.get(VARIABLE)
        if not password:
            raise CommandError(f"{VARIABLE} is not set.")
        users = get_user_model().objects
        user, _ = users.get_or_create(username=options["username"])
        user.is_staff = user.is_superuser = user.is_active = True
        # Hashing anew would sign out whoever is signed in.
        if not user.check_password(password):
            user.set_password(password)
        user.save()
