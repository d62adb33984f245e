"""``manage.py unlock_admin``: for an operator who is locked out, or whose address is."""

from typing import Any

from axes.models import AccessAttempt
from axes.utils import reset
from django.core.management.base import BaseCommand, CommandParser
from django.db.models import Sum

from core.client_addresses import parse_address, subscriber


class Command(BaseCommand):
    """Without arguments it says who has wrong passwords against them; locks end by themselves."""

    help = "Forget the wrong passwords of a user or an address; without arguments, list them."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--user", help="the user's name")
        parser.add_argument("--address", help="as the log's admin_log_in lines name it")
        parser.add_argument("--all", action="store_true", help="of all users and addresses")

    def handle(self, *args: Any, **options: Any) -> str:
        if options["all"]:
            return f"{reset()} forgotten"
        if not options["user"] and not options["address"]:
            return "\n".join(_counted()) or "There are no wrong passwords."
        count = reset(username=options["user"]) if options["user"] else 0
        if options["address"]:
            count += reset(ip=_counted_as(options["address"]))
        return f"{count} forgotten"


def _counted() -> list[str]:
    rows = AccessAttempt.objects.order_by().values_list("username", "ip_address")
    return [
        f"{failures} wrong: user {user}, address {address}"
        for user, address, failures in rows.annotate(failures=Sum("failures_since_start"))
    ]


def _counted_as(text: str) -> str:
    address = parse_address(text)
    return text if address is None else subscriber(address)
