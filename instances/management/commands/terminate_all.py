"""``manage.py terminate-all``: ends all instances of a project or an API key."""

import time
from argparse import ArgumentParser
from collections.abc import Sequence
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db.models import Q

from accounts.models import ApiKey, Project
from instances.domain.enums import InstanceStatus
from instances.domain.types import Cause
from instances.lifecycle import spend_rate
from instances.models import Instance
from instances.novita import installation
from instances.services import terminate_all, to_be_ended

CAUSE = Cause("operator:manage.py", "terminate-all was asked for")
LONGEST_WAIT_SECONDS = 600
POLL_SECONDS = 1.0
# Length of the stored beginning of an API key.
START_LENGTH = 9


class Command(BaseCommand):
    """Accepts the ends, which the worker carries out; --wait waits for them."""

    help = "Terminate all instances of a project or of one API key. Their disks are deleted."

    def add_arguments(self, parser: ArgumentParser) -> None:
        whose = parser.add_mutually_exclusive_group(required=True)
        whose.add_argument("--project", help="name of the project")
        whose.add_argument(
            "--key",
            help="only instances of this API key: its first characters (nvt_…) or id (key_…)",
        )
        parser.add_argument(
            "--yes", action="store_true", help="terminate; without it, only list the instances"
        )
        parser.add_argument(
            "--wait",
            nargs="?",
            type=int,
            const=LONGEST_WAIT_SECONDS,
            metavar="SECONDS",
            help="wait until all are terminated; fail after SECONDS"
            f" (default: {LONGEST_WAIT_SECONDS})",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        project, key = _whose(options)
        count = self._say(project, key)
        if not count:
            return
        if not options["yes"]:
            raise CommandError("Nothing was terminated. Add --yes to terminate them.", returncode=2)
        ended = terminate_all(project=project, cause=CAUSE, key=key)
        self.stdout.write(f"{len(ended)} instances are being terminated.")
        if not installation.is_ours():
            self.stderr.write(
                "This database was moved or copied: workers do nothing at Novita until it is"
                " accepted with: manage.py reconcile --accept"
            )
        if options["wait"] is not None:
            self._wait(ended, options["wait"])

    def _say(self, project: Project, key: ApiKey | None) -> int:
        """Print each instance and the total, with cost."""
        rows = list(to_be_ended(project, key).order_by("pk"))
        for row in rows:
            hourly = spend_rate.of_confirmation([row]).text
            self.stdout.write(f"{row.public_id}  {row.status:<10}  {hourly} USD/h  {row.name}")
        total = spend_rate.of_confirmation(rows).text
        whose = project.name if key is None else f"{project.name} created by {key}"
        self.stdout.write(
            f"{len(rows)} instances of {whose}, {total} USD an hour"
            if rows
            else f"No instance of {whose} is to be terminated."
        )
        return len(rows)

    def _wait(self, public_ids: Sequence[str], seconds: int) -> None:
        deadline = time.monotonic() + seconds
        left = self._left(public_ids)
        while left and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
            left = self._left(public_ids)
        if left:
            names = ", ".join(left[:5])
            raise CommandError(
                f"{len(left)} instances are still terminating after {seconds} s: {names}."
                " Workers continue; check that one is running."
            )
        self.stdout.write("All instances are terminated.")

    def _left(self, public_ids: Sequence[str]) -> Sequence[str]:
        rows = Instance.objects.filter(public_id__in=public_ids)
        left = rows.exclude(status=InstanceStatus.TERMINATED).order_by("pk")
        return list(left.values_list("public_id", flat=True))


def _whose(options: dict[str, Any]) -> tuple[Project, ApiKey | None]:
    if options["project"] is not None:
        project = Project.objects.filter(name=options["project"]).first()
        if project is None:
            raise CommandError(f"There is no project {options['project']}.")
        return project, None
    word = options["key"]
    # Exact match of the stored beginning: a shorter one could match another key.
    is_meant = Q(public_id=word) | Q(start=word[:START_LENGTH])
    keys = list(ApiKey.objects.select_related("project").filter(is_meant)[:2])
    if len(keys) != 1:
        raise CommandError(
            f"{len(keys) or 'No'} API keys match. Use the key's id (key_…), which the admin shows."
        )
    return keys[0].project, keys[0]
