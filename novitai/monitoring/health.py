"""``/health`` for people and monitoring, ``/livez`` and ``/readyz`` for container platforms."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.core.cache import caches
from django.db import Error, connection
from django.db.migrations.executor import MigrationExecutor
from drf_spectacular.utils import extend_schema
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core.clock import database_now
from core.database.bounds import within
from core.database.failures import Cause, cause_of, words_of
from core.database.probe import cause_against_writing
from novitai import VERSION
from novitai.monitoring.conditions import Condition, of_database
from novitai.monitoring.health_checks import HealthChecks, is_cache_up, run_checks, up
from novitai.monitoring.request_stats import Window, request_totals, system, uptime_seconds
from novitai.openapi import own_addresses
from novitai.openapi.own_addresses import (
    Alive,
    Health,
    Performance,
    Problem,
    Readiness,
    Services,
)
from novitai.rest.negotiation import OnlyOneForm

# Longest time until a probe is answered, whatever the database does.
PROBE_SECONDS = 2.6
# Reads may still be answered, so the rest can be told.
_READABLE = (Cause.READ_ONLY, Cause.FULL, Cause.FORBIDDEN, Cause.BUSY)

_window = Window()


class OpenView(APIView):
    """Needs no API key and always answers JSON, whatever Accept says."""

    authentication_classes = ()
    permission_classes = (AllowAny,)
    content_negotiation_class = OnlyOneForm


class HealthView(OpenView):
    """Whether the service can do all of its work; 503 with a message for each problem."""

    @extend_schema(**own_addresses.HEALTH)
    def get(self, request: Request) -> Response:
        with within(PROBE_SECONDS):
            found = Findings.read()
        problems = [_problem(each) for each in found.conditions()]
        health = Health(
            status="unhealthy" if problems else "healthy",
            timestamp=datetime.now(UTC),
            services=found.services(),
            problems=problems,
            uptime=int(uptime_seconds()),
            version=VERSION,
            performance=_performance(found.checks),
            system=system(),
            dependencies=found.dependencies(),
        )
        return Response(health.as_json(), status=503 if problems else 200)


class LivezView(OpenView):
    """Whether this process answers. It does not use the database, so that a failure of the database
    causes no restarts.
    """

    @extend_schema(**own_addresses.LIVEZ)
    def get(self, request: Request) -> Response:
        return Response(Alive(status="alive").as_json())


class ReadyzView(OpenView):
    """Whether this process can serve requests: the database can be used and is migrated. Workers
    do not count: accepted requests wait for them, and a roll-out of workers must not stop the API.
    """

    @extend_schema(**own_addresses.READYZ)
    def get(self, request: Request) -> Response:
        reasons = _reasons_against_readiness()
        status = "not ready" if reasons else "ready"
        answer = Readiness(status=status, reasons=reasons or None)
        return Response(answer.as_json(), status=503 if reasons else 200)


@dataclass(frozen=True, slots=True)
class Findings:
    """Result of a probe. cause: why the database cannot be written; then checks is None."""

    cause: Cause | None
    checks: HealthChecks | None
    is_cache_up: bool

    @classmethod
    def read(cls) -> "Findings":
        cause = cause_against_writing()
        if cause is not None and cause not in _READABLE:
            return cls(cause, None, False)
        checks = None
        try:
            checks = run_checks()
        except Error as error:
            # What was found a moment ago may be over.
            cause = cause or cause_of(error) or Cause.FAILED
        return cls(cause, checks, cause is None and is_cache_up())

    def conditions(self) -> list[Condition]:
        found = [of_database(self.cause)] if self.cause is not None else []
        found += self.checks.conditions() if self.checks is not None else ()
        if self.cause is None and not self.is_cache_up:
            found.append(Condition.of("cache_broken"))
        return found

    def services(self) -> Services:
        """The seed's three. Without the database there is no queue, and Novita is not known of."""
        checks = self.checks
        return Services(
            novitaApi=up(checks is not None and checks.is_novita_up),
            jobQueue=up(checks is not None and self.cause is None and checks.is_queue_up),
            cache=up(self.is_cache_up),
        )

    def dependencies(self) -> dict[str, Any]:
        database: dict[str, Any] = {"status": up(self.cause is None)}
        if self.cause is not None:
            database |= {"cause": self.cause.value, "message": words_of(self.cause)}
        if self.checks is None:
            return {"database": database}
        services = self.services()
        return {
            "database": database,
            "novitaApi": self.checks.novita_details(),
            "jobQueue": {
                "status": services.jobQueue,
                "workers": self.checks.worker_count,
                "oldestDueSeconds": round(self.checks.oldest_due_seconds, 1),
            },
            "cache": {"status": services.cache},
        }


def _problem(condition: Condition) -> Problem:
    return Problem(code=condition.code, message=condition.words, since=condition.since)


def _performance(checks: HealthChecks | None) -> Performance:
    rate = round(checks.jobs_ended_per_minute, 2) if checks else 0.0
    return Performance(**_window.performance(request_totals()), jobProcessingRate=rate)


def _reasons_against_readiness() -> list[str]:
    """The conditions that stop requests: all of the database but ``busy``, and migrations."""
    try:
        with within(PROBE_SECONDS):
            if not _is_migrated():
                return [Condition.of("migrations_missing").words]
            cause = cause_against_writing()
    except Error as error:
        cause = cause_of(error) or Cause.FAILED
    stopping = [of_database(cause)] if cause is not None else []
    return [each.words for each in stopping if each.stops_requests]


def _is_migrated() -> bool:
    """Whether all migrations are applied; once true, it is not checked again by this process."""
    # A query in any case: an answer from memory would hide that the database is gone.
    database_now()
    local = caches["local"]
    if not local.get("is_migrated"):
        executor = MigrationExecutor(connection)
        plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
        local.set("is_migrated", not plan, timeout=None)
    return bool(local.get("is_migrated"))
