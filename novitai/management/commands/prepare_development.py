"""``manage.py prepare_development``: what `make run` and `make demo` need before they serve."""

import os
import socket
from typing import Any

import psutil
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.scopes import Scope
from accounts.services import find_api_key, get_default_project, keep_api_key
from jobs.models import Worker

KEY_VARIABLE = "DEVELOPMENT_API_KEY"


class Command(BaseCommand):
    """Migrations, the default project with a key, an administrator; run twice, nothing changes.

    The key and the administrator's password (ADMIN_PASSWORD) come from the environment.
    """

    help = f"Migrate, and make the key in {KEY_VARIABLE} and an administrator usable."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--username", default="admin")

    def handle(self, *args: Any, **options: Any) -> None:
        call_command("migrate", interactive=False, verbosity=1)
        keep_api_key(
            project=get_default_project(), name="development", key=_key(), scopes=Scope.values
        )
        if find_api_key(_key()) is None:
            raise CommandError("The development key was revoked; remove api_key in DATA_DIR.")
        call_command("ensure_admin", username=options["username"])
        _forget_dead_workers()


def _key() -> str:
    key = os.environ.get(KEY_VARIABLE)
    if not key:
        raise CommandError(f"{KEY_VARIABLE} is not set.")
    return key


def _forget_dead_workers() -> None:
    """Workers of this machine that were killed would pass for living ones a few seconds longer,
    so that /readyz would call a service ready that has no worker yet."""
    for worker in Worker.objects.filter(host=socket.gethostname()):
        if not psutil.pid_exists(worker.pid):
            worker.delete()
