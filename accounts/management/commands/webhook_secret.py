"""``manage.py webhook_secret``: what receivers of a project verify its messages with."""

from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts import webhook_secrets
from accounts.models import Project
from accounts.webhook_secrets import OVERLAP, SecretRefused

ACTOR = "operator:manage.py"


class Command(BaseCommand):
    """Prints the secret and nothing else, so that a script can keep it."""

    help = "Show a project's webhook secret, once, or replace it while messages go on."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--project", required=True, help="the project's name")
        verbs = parser.add_mutually_exclusive_group()
        verbs.add_argument("--show-once", action="store_true", help="print it, if it never was")
        verbs.add_argument("--rotate", action="store_true", help="print a new one")
        verbs.add_argument(
            "--end-overlap", action="store_true", help="let the former one sign nothing more"
        )
        parser.add_argument(
            "--overlap-hours",
            type=float,
            default=OVERLAP / timedelta(hours=1),
            help="with --rotate: how long both sign (default: 24); 0 for a secret that has leaked",
        )

    def handle(self, *args: Any, **options: Any) -> str:
        project = Project.objects.filter(name=options["project"]).first()
        if project is None:
            raise CommandError(f"There is no project {options['project']}.")
        try:
            return self._do(project, options)
        except (SecretRefused, OverflowError, ValueError) as error:
            raise CommandError(str(error)) from None

    def _do(self, project: Project, options: dict[str, Any]) -> str:
        if options["show_once"]:
            return webhook_secrets.show_once(project, actor=ACTOR)
        if options["rotate"]:
            overlap = timedelta(hours=options["overlap_hours"])
            return webhook_secrets.rotate(project, overlap=overlap, actor=ACTOR)
        if options["end_overlap"]:
            webhook_secrets.end_overlap(project, actor=ACTOR)
        return state_of(project)


def state_of(project: Project) -> str:
    """Without the secret itself."""
    project.refresh_from_db()
    shown, until = project.webhook_secret_shown_at, project.previous_webhook_secret_until
    first = f"shown {shown:%Y-%m-%d %H:%M} UTC" if shown else "never shown"
    second = f"; the former one signs until {until:%Y-%m-%d %H:%M} UTC" if until else ""
    return f"{project.name}: {first}{second}"
