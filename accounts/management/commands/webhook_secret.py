"""``manage.py webhook_secret``: the secret with which receivers verify a project's webhooks."""

from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts import webhook_secrets
from accounts.models import Project
from accounts.webhook_secrets import OVERLAP, SecretRefused

ACTOR = "operator:manage.py"


class Command(BaseCommand):
    """Prints only the secret, so that a script can store it; without an option, its state."""

    help = "Show a project's webhook secret once, or replace it without interruption."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--project", required=True, help="name of the project")
        verbs = parser.add_mutually_exclusive_group()
        verbs.add_argument(
            "--show-once", action="store_true", help="print the secret, if it was never shown"
        )
        verbs.add_argument("--rotate", action="store_true", help="create a new secret and print it")
        verbs.add_argument(
            "--end-overlap", action="store_true", help="stop signing with the previous secret"
        )
        parser.add_argument(
            "--overlap-hours",
            type=float,
            default=OVERLAP / timedelta(hours=1),
            help="with --rotate: hours during which messages are signed with both secrets"
            " (default: 24); 0 if the secret has leaked",
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
    """The state in words, without the secret itself."""
    project.refresh_from_db()
    shown, until = project.webhook_secret_shown_at, project.previous_webhook_secret_until
    first = f"shown {shown:%Y-%m-%d %H:%M} UTC" if shown else "never shown"
    second = f"; the previous one also signs until {until:%Y-%m-%d %H:%M} UTC" if until else ""
    return f"{project.name}: {first}{second}"
