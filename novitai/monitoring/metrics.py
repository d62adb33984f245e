"""``GET /api/metrics``: Prometheus text of what web processes counted and what Postgres knows.

Request counters live in each process; with several they meet in the files of
PROMETHEUS_MULTIPROC_DIR. That mode drops custom collectors, so the rest comes from a registry of
its own. Workers have no port and share no folder with the web: what they count is in the
database (``Tally``).
"""

import os
from typing import cast

from django.db import connection, transaction
from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from prometheus_client import REGISTRY, CollectorRegistry, generate_latest, multiprocess
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.views import APIView

from accounts.models import Project
from accounts.rest.authentication import Caller
from accounts.scopes import Scope, may_see_all_figures
from core.clock import database_now
from novitai.monitoring.collector import InstallationCollector, ProjectCollector
from novitai.openapi import own_addresses

QUERY_TIMEOUT = "10s"


class PlainText(BaseRenderer):
    """The media type of the answer; errors are always JSON."""

    media_type = "text/plain"
    format = "txt"


class MetricsView(APIView):
    """Metrics of the project; with the scope ``metrics`` or ``admin`` those of the whole
    installation.
    """

    # A key with the scope ``metrics`` allows nothing else.
    also_enough = (Scope.METRICS,)

    # Scrapers prefer other formats, and accept text too.
    renderer_classes = [PlainText]

    @extend_schema(**own_addresses.METRICS)
    def get(self, request: Request) -> HttpResponse:
        caller = cast(Caller, request.user)
        project = None if may_see_all_figures(caller.api_key.scopes) else caller.project
        text = generate_latest(_database_registry(project))
        if project is None:
            text = generate_latest(request_registry()) + text
        return HttpResponse(text, content_type=CONTENT_TYPE_PLAIN_0_0_4)


def request_registry() -> CollectorRegistry:
    """The request metrics of all web processes, or of this one if it is the only one."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return REGISTRY
    registry = CollectorRegistry()
    multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return registry


def _database_registry(project: Project | None) -> CollectorRegistry:
    """Read everything in one transaction with a timeout, before the answer is written."""
    registry = CollectorRegistry()
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL statement_timeout = '{QUERY_TIMEOUT}'")
        now = database_now()
        registry.register(ProjectCollector.read(now, project))
        if project is None:
            registry.register(InstallationCollector.read(now))
    return registry
