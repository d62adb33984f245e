"""``manage.py prepare_development``: prepare the database for `make run` and `make demo`."""

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
    """Migrates, creates the default project's key and an administrator; can be run again.

    The key and the administrator's password (ADMIN_PASSWORD) come from the environment.
    """

    help = f"Migrate, then create the API key in {KEY_VARIABLE} and an administrator."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--username", default="admin")

    def handle(self, *args: Any, **options: Any) -> None:
        call_command("migrate", interactive=False, verbosity=1)
        keep_api_key(
            project=get_default_project(), name="development", key=_key(), scopes=Scope.values
        )
        if find_api_key(_key()) is None:
            raise CommandError(
                "The development API key was revoked. Delete the file api_key in DATA_DIR and start"
                " again to get a new one."
            )
        call_command("ensure_admin", username=options["username"])
        _forget_dead_workers()


def _key() -> str:
    key = os.environ.get(KEY_VARIABLE)
    if not key:
        raise CommandError(f"{KEY_VARIABLE} is not set.")
    return key


def _forget_dead_workers() -> None:
    """Delete the rows of killed workers of this machine. They would count as alive for some
    seconds, so the service would seem ready before its own worker runs."""
    for worker in Worker.objects.filter(host=socket.gethostname()):
        if not psutil.pid_exists(worker.pid):
            worker.delete()
