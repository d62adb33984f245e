"""``manage.py create_api_key``: the first key has to come from somewhere."""

from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.core.validators import validate_slug

from accounts.models import DEFAULT_PROJECT, Project
from accounts.services import create_api_key

NAME_LENGTH = 60


class Command(BaseCommand):
    """Prints the key and nothing else, so that a script can keep it."""

    help = "Make an API key and print it; it cannot be shown again."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--project", default=DEFAULT_PROJECT, help="made if there is none")
        parser.add_argument("--name", default="command line", help="to recognise the key by")

    def handle(self, *args: Any, **options: Any) -> str:
        project, _ = Project.objects.get_or_create(name=_project_name(options["project"]))
        return create_api_key(project=project, name=options["name"][:100])


def _project_name(text: str) -> str:
    try:
        validate_slug(text)
    except ValidationError:
        raise CommandError(f"--project {text}: letters, digits, - and _ only") from None
    if len(text) > NAME_LENGTH:
        raise CommandError(f"--project {text}: at most {NAME_LENGTH} characters")
    return text
