"""``manage.py unlock_admin``: end the log-in lock of a user or of a client address."""

from typing import Any

from axes.models import AccessAttempt
from axes.utils import reset
from django.core.management.base import BaseCommand, CommandParser
from django.db.models import Sum

from core.client_addresses import parse_address, subscriber


class Command(BaseCommand):
    """Without arguments it lists the counted wrong passwords. Locks also end by themselves."""

    help = (
        "Reset the count of wrong passwords of a user or an address; without arguments, list them."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--user", help="name of the user")
        parser.add_argument("--address", help="client address, as in the log lines admin_log_in")
        parser.add_argument("--all", action="store_true", help="all users and addresses")

    def handle(self, *args: Any, **options: Any) -> str:
        if options["all"]:
            return f"{reset()} records of wrong passwords were deleted."
        if not options["user"] and not options["address"]:
            return "\n".join(_counted()) or "No wrong passwords are counted."
        count = reset(username=options["user"]) if options["user"] else 0
        if options["address"]:
            count += reset(ip=_counted_as(options["address"]))
        return f"{count} records of wrong passwords were deleted."


def _counted() -> list[str]:
    rows = AccessAttempt.objects.order_by().values_list("username", "ip_address")
    return [
        f"{failures} wrong passwords: user {user}, address {address}"
        for user, address, failures in rows.annotate(failures=Sum("failures_since_start"))
    ]


def _counted_as(text: str) -> str:
    address = parse_address(text)
    return text if address is None else subscriber(address)
