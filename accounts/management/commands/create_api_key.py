"""``manage.py create_api_key``: the first key has to come from somewhere."""

from datetime import UTC, datetime, timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.core.validators import validate_slug

from accounts.models import DEFAULT_PROJECT
from accounts.scopes import DEFAULT_SCOPES, Scope, default_scopes
from accounts.services import create_api_key, ensure_project

NAME_LENGTH = 60
KEY_NAME_LENGTH = 100
LONGEST_DAYS = 36_500
HIGHEST_RATE = 1_000_000


class Command(BaseCommand):
    """Prints the key and nothing else, so that a script can keep it."""

    help = "Make an API key and print it; it cannot be shown again."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--project", default=DEFAULT_PROJECT, help="made if there is none")
        parser.add_argument("--name", default="command line", help="to recognise the key by")
        parser.add_argument(
            "--scope",
            action="append",
            choices=Scope.values,
            help=f"may be given several times; default: {' and '.join(DEFAULT_SCOPES)}",
        )
        parser.add_argument("--expires-in-days", type=_days, help="default: never")
        parser.add_argument(
            "--rate-limit", type=_rate, help="requests a minute; default: API_RATE_LIMIT; 0: none"
        )

    def handle(self, *args: Any, **options: Any) -> str:
        project_name, key_name = _project_name(options["project"]), _key_name(options["name"])
        project = ensure_project(project_name)
        days: float | None = options["expires_in_days"]
        return create_api_key(
            project=project,
            name=key_name,
            scopes=options["scope"] or default_scopes(),
            expires_at=None if days is None else datetime.now(UTC) + timedelta(days=days),
            rate_limit=options["rate_limit"],
        )


def _days(text: str) -> float:
    days = float(text)
    if not 0 < days <= LONGEST_DAYS:
        raise ValueError
    return days


def _rate(text: str) -> int:
    rate = int(text)
    if not 0 <= rate <= HIGHEST_RATE:
        raise ValueError
    return rate


def _key_name(text: str) -> str:
    if not text.strip() or not text.isprintable():
        raise CommandError("--name: visible characters, at least one")
    if len(text) > KEY_NAME_LENGTH:
        raise CommandError(f"--name: at most {KEY_NAME_LENGTH} characters, not {len(text)}")
    return text


def _project_name(text: str) -> str:
    try:
        validate_slug(text)
    except ValidationError:
        raise CommandError(f"--project {text}: letters, digits, - and _ only") from None
    if len(text) > NAME_LENGTH:
        raise CommandError(f"--project {text}: at most {NAME_LENGTH} characters")
    return text
