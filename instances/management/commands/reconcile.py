"""``manage.py reconcile``: runs one pass of the reconciler now."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from instances import reconciliation
from instances.domain.types import Cause
from instances.novita import installation, limiter
from instances.reconciliation.report import Report


class Command(BaseCommand):
    """Command; the worker runs the same pass every RECONCILE_INTERVAL seconds."""

    help = "Compare what is at Novita with what is held here, and settle the differences."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="print what it would do")
        parser.add_argument(
            "--accept",
            action="store_true",
            help="this database is the one installation, and what vanished has truly vanished",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        is_dry = bool(options["dry_run"])
        if is_dry and options["accept"]:
            raise CommandError("--accept changes what a pass may do: it cannot be tried out.")
        if not settings.CONFIG.novita_api_key:
            raise CommandError("NOVITA_API_KEY is not set: this command could not call Novita.")
        if options["accept"]:
            installation.accept()
            installation.release_brake()
        self._print(self._pass(is_dry=is_dry), is_dry=is_dry)

    def _pass(self, *, is_dry: bool) -> Report:
        work = reconciliation.plan_pass()
        if not work.permit.is_granted:
            seconds = work.permit.wait.total_seconds()
            raise CommandError(f"No calls are left, or Novita is down; try in {seconds:.0f} s.")
        seen = reconciliation.look(work)
        limiter.report([(work.permit, seen.calls)])
        with transaction.atomic():
            return reconciliation.conclude(
                work,
                seen,
                account=settings.CONFIG.upstream_account,
                cause=Cause("operator:manage.py", "reconcile was asked for"),
                is_dry=is_dry,
            )

    def _print(self, report: Report, *, is_dry: bool) -> None:
        counts = ", ".join(f"{name} {value}" for name, value in report.counts.items())
        self.stdout.write(counts)
        for finding in report.findings:
            what = f"{'would be ' if is_dry else ''}{finding.kind}"
            self.stdout.write(
                f"{what}: {finding.upstream_id or '-'} {finding.instance or '-'} {finding.text}"
            )
        if not report.findings:
            self.stdout.write("No differences.")
        if report.note:
            self.stdout.write(report.note)
