"""``manage.py create_api_key``: create an API key from the command line."""

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
    """Prints only the key, so that a script can store it."""

    help = "Create an API key and print it. It cannot be shown again."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--project", default=DEFAULT_PROJECT, help="name of the project; created if missing"
        )
        parser.add_argument("--name", default="command line", help="name of the key in lists")
        parser.add_argument(
            "--scope",
            action="append",
            choices=Scope.values,
            help=f"may be repeated; default: {' and '.join(DEFAULT_SCOPES)}",
        )
        parser.add_argument("--expires-in-days", type=_days, help="default: never")
        parser.add_argument(
            "--rate-limit",
            type=_rate,
            help="requests a minute; default: API_RATE_LIMIT; 0: no limit",
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
        raise CommandError("--name needs at least one visible character, and only printable ones")
    if len(text) > KEY_NAME_LENGTH:
        raise CommandError(
            f"--name may have at most {KEY_NAME_LENGTH} characters; this one has {len(text)}"
        )
    return text


def _project_name(text: str) -> str:
    try:
        validate_slug(text)
    except ValidationError:
        raise CommandError(f"--project {text}: only letters, digits, - and _ are allowed") from None
    if len(text) > NAME_LENGTH:
        raise CommandError(f"--project {text}: at most {NAME_LENGTH} characters are allowed")
    return text
