"""``/health`` for people and monitors, ``/livez`` and ``/readyz`` for whatever runs containers."""

from datetime import UTC, datetime
from typing import Any

from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from drf_spectacular.utils import extend_schema
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from instances.clock import iso
from instances.database_clock import database_now
from novitai import VERSION, documentation
from novitai.negotiation import OnlyOneForm
from novitai.performance import Window, request_totals, system, uptime_seconds
from novitai.vitals import Vitals, is_cache_up, look, up

_window = Window()


class OpenView(APIView):
    """Needs no key and answers JSON to whoever asks, browsers and probes alike."""

    authentication_classes = ()
    permission_classes = (AllowAny,)
    content_negotiation_class = OnlyOneForm


class HealthView(OpenView):
    """Whether the service can do its work: 503 when the database, the queue or Novita is down."""

    @extend_schema(**documentation.HEALTH)
    def get(self, request: Request) -> Response:
        vitals = look()
        services = _services(vitals)
        is_healthy = services["novitaApi"] == services["jobQueue"] == "up"
        body = {
            "status": "healthy" if is_healthy else "unhealthy",
            "timestamp": iso(datetime.now(UTC)),
            "services": services,
            "uptime": int(uptime_seconds()),
            "version": VERSION,
            "performance": _performance(vitals),
            "system": system(),
            "dependencies": _dependencies(vitals, services),
        }
        return Response(body, status=200 if is_healthy else 503)


class LivezView(OpenView):
    """Whether this process answers; it asks nobody, so that a database failure restarts nothing."""

    @extend_schema(**documentation.LIVEZ)
    def get(self, request: Request) -> Response:
        return Response({"status": "alive"})


class ReadyzView(OpenView):
    """Whether requests should come here: the database and its migrations. Not the workers: what is
    accepted waits for them unharmed, and a roll-out of workers must not take the API down.
    """

    @extend_schema(**documentation.READYZ)
    def get(self, request: Request) -> Response:
        reasons = _reasons_against_readiness()
        body: dict[str, Any] = {"status": "not ready" if reasons else "ready"}
        if reasons:
            body["reasons"] = reasons
        return Response(body, status=503 if reasons else 200)


def _services(vitals: Vitals | None) -> dict[str, str]:
    """The seed's three. Without the database there is no queue, and nobody knows about Novita."""
    if vitals is None:
        return {"novitaApi": "down", "jobQueue": "down", "cache": "down"}
    return {
        "novitaApi": up(vitals.is_novita_up),
        "jobQueue": up(vitals.is_queue_up),
        "cache": up(is_cache_up()),
    }


def _performance(vitals: Vitals | None) -> dict[str, float]:
    rate = round(vitals.jobs_ended_per_minute, 2) if vitals else 0
    return {**_window.performance(request_totals()), "jobProcessingRate": rate}


def _dependencies(vitals: Vitals | None, services: dict[str, str]) -> dict[str, Any]:
    if vitals is None:
        return {"database": {"status": "down"}}
    return {
        "database": {"status": "up"},
        "novitaApi": vitals.novita_details(),
        "jobQueue": {
            "status": services["jobQueue"],
            "workers": vitals.worker_count,
            "oldestDueSeconds": round(vitals.oldest_due_seconds, 1),
        },
        "cache": {"status": services["cache"]},
    }


def _reasons_against_readiness() -> list[str]:
    try:
        return [] if _is_migrated() else ["migrations are not applied: manage.py migrate"]
    except DatabaseError:
        return ["the database does not answer"]


_migrated = False


def _is_migrated() -> bool:
    """Remembered once true: reading all migration files again for every probe would be waste."""
    global _migrated
    if not _migrated:
        executor = MigrationExecutor(connection)
        _migrated = not executor.migration_plan(executor.loader.graph.leaf_nodes())
    # A query all the same: an answer from memory would hide that the database is gone.
    database_now()
    return _migrated
