"""Binds this installation to the location of its database, so that a copy does not act.

A restored dump has the original's id and signing key: GPUs that the original made since would look
like orphans, and deadlines and open endings in the dump would delete the original's GPUs. At
another location the installation therefore only reads at Novita, until an operator runs ``manage.py
reconcile --accept``.
"""

import hashlib
from collections.abc import Sequence
from datetime import timedelta

import structlog
from django.conf import settings
from django.db import connection, transaction

from accounts import audit
from accounts.services import COMMAND
from core.clock import database_now
from instances.models import Installation
from jobs.handler import Resolved
from jobs.models import Job
from jobs.outcomes import Again

logger = structlog.get_logger()

HELD_PAUSE = timedelta(seconds=30)
ACCEPTED_FOR = timedelta(minutes=10)


def fingerprint() -> str:
    """Hash of the database's location: server identifier, database oid, environment settings.

    A restored dump has another oid, a new server another identifier. A copy of a whole disk has the
    same of both: it needs its own INSTALLATION_ENVIRONMENT (or NOVITAI_ENV).
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT system_identifier, (SELECT oid FROM pg_database"
            " WHERE datname = current_database()) FROM pg_control_system()"
        )
        server, database = cursor.fetchone()
    config = settings.CONFIG
    text = f"{server}:{database}:{config.novitai_env}:{config.installation_environment}"
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def is_ours() -> bool:
    """Whether this installation may act at Novita; binds it to this location at its first use."""
    here = fingerprint()
    row, _ = Installation.objects.get_or_create(id=1, defaults={"environment": here})
    if not row.environment:
        Installation.objects.filter(id=1, environment="").update(environment=here)
        row.refresh_from_db()
    return is_bound_here(row)


def is_bound_here(row: Installation) -> bool:
    """Whether the row is bound to this location or not bound yet. Binds nothing."""
    return row.environment in ("", fingerprint())


def accept() -> None:
    """Bind the installation to this location. For operators; writes an audit entry."""
    is_ours()
    with transaction.atomic():
        Installation.objects.filter(id=1).update(environment=fingerprint())
        _reset_events_of_elsewhere()
        audit.record("installation.accept", actor=COMMAND, subject="installation")
    logger.warning("installation_accepted")


def _reset_events_of_elsewhere() -> None:
    """Reset the transaction ids of events from another server.

    A new server counts transactions from the start: events from a dump would seem to belong to
    future transactions, and streams would not show them.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE instances_instanceevent SET xid = '0'"
            " WHERE xid >= pg_snapshot_xmax(pg_current_snapshot())"
            " AND xid <> pg_current_xact_id()"
        )


def is_mass_guard_off() -> bool:
    """Whether an operator has switched the mass guard off in the last ACCEPTED_FOR."""
    return Installation.objects.filter(id=1, brake_off_until__gt=database_now()).exists()


def release_mass_guard() -> None:
    """Switch the mass guard off for ACCEPTED_FOR: an operator knows that the GPUs are gone."""
    Installation.objects.filter(id=1).update(
        braked_at=None, brake_reason="", brake_off_until=database_now() + ACCEPTED_FOR
    )


def paused_if_copy(jobs: Sequence[Job]) -> Sequence[Resolved]:
    """Postpones the jobs if this database is a copy; empty for the original. For ``load``."""
    if not jobs or is_ours():
        return []
    logger.warning("held_back_in_another_environment", type=jobs[0].type, jobs=len(jobs))
    return [Resolved({job.pk: Again(HELD_PAUSE) for job in jobs})]
