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

    help = "Compare all instances at Novita with the database, and act on the differences."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--dry-run", action="store_true", help="print the differences, change nothing"
        )
        parser.add_argument(
            "--accept",
            action="store_true",
            help="confirm that this is the only installation and that missing instances are gone",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        is_dry = bool(options["dry_run"])
        if is_dry and options["accept"]:
            raise CommandError(
                "--accept cannot be combined with --dry-run: it changes what later passes may do."
            )
        if not settings.CONFIG.novita_api_key:
            raise CommandError("NOVITA_API_KEY is not set, so this command cannot call Novita.")
        if options["accept"]:
            installation.accept()
            installation.release_mass_guard()
        self._print(self._pass(is_dry=is_dry), is_dry=is_dry)

    def _pass(self, *, is_dry: bool) -> Report:
        work = reconciliation.plan_pass()
        if not work.permit.is_granted:
            seconds = work.permit.wait.total_seconds()
            raise CommandError(
                f"The call budget is used up, or Novita is down. Try again in {seconds:.0f} s."
            )
        seen = reconciliation.scan_account(work)
        limiter.report([(work.permit, seen.calls)])
        with transaction.atomic():
            return reconciliation.apply_pass(
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
