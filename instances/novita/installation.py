"""Is this the installation that it says it is, or a copy of its database somewhere else?

A restored dump carries the original's id and signing key: everything that the original made since
would look like an orphan to it, and every deadline and open ending in it would strike the
original's GPUs. So the installation is bound to where its database lives, and elsewhere it only
reads at Novita until an operator says that it may act (``manage.py reconcile --accept``).
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
from jobs.models import Job
from jobs.outcomes import Again
from jobs.registry import Resolved

logger = structlog.get_logger()

HELD_PAUSE = timedelta(seconds=30)
ACCEPTED_FOR = timedelta(minutes=10)


def fingerprint() -> str:
    """Where this database lives: its server, its number there, and what the environment says.

    A dump restored elsewhere has another number, a new server another identifier; a copy of a whole
    disk has neither, so copies want an INSTALLATION_ENVIRONMENT (or NOVITAI_ENV) of their own.
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
    """Whether this installation may act at Novita. Binds it at its first use."""
    here = fingerprint()
    row, _ = Installation.objects.get_or_create(id=1, defaults={"environment": here})
    if not row.environment:
        Installation.objects.filter(id=1, environment="").update(environment=here)
        row.refresh_from_db()
    return is_bound_here(row)


def is_bound_here(row: Installation) -> bool:
    """Or nowhere yet; binds nothing. For whoever only looks."""
    return row.environment in ("", fingerprint())


def accept() -> None:
    """From now on this is where the installation lives."""
    is_ours()
    with transaction.atomic():
        Installation.objects.filter(id=1).update(environment=fingerprint())
        _settle_events_of_elsewhere()
        audit.record("installation.accept", actor=COMMAND, subject="installation")
    logger.warning("installation_accepted")


def _settle_events_of_elsewhere() -> None:
    """A new server counts transactions from the start: what came with a dump would look as if its
    transaction were still to come, and no stream would show it.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE instances_instanceevent SET xid = '0'"
            " WHERE xid >= pg_snapshot_xmax(pg_current_snapshot())"
            " AND xid <> pg_current_xact_id()"
        )


def is_braked() -> bool:
    """Whether too much vanished in the last pass: no absence is believed meanwhile."""
    return Installation.objects.filter(id=1, braked_at__isnull=False).exists()


def is_brake_off() -> bool:
    """Whether an operator said a moment ago that what vanished has truly vanished."""
    return Installation.objects.filter(id=1, brake_off_until__gt=database_now()).exists()


def release_brake() -> None:
    """What vanished is believed for the next minutes: an operator knows that it is true."""
    Installation.objects.filter(id=1).update(
        braked_at=None, brake_reason="", brake_off_until=database_now() + ACCEPTED_FOR
    )


def held_back(jobs: Sequence[Job]) -> Sequence[Resolved]:
    """What a copy must not do, put off; nothing for the original. For ``load``."""
    if not jobs or is_ours():
        return []
    logger.warning("held_back_in_another_environment", type=jobs[0].type, jobs=len(jobs))
    return [Resolved({job.pk: Again(HELD_PAUSE) for job in jobs})]
