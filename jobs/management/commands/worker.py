"""``manage.py worker``: runs a worker cluster."""

import sys
import time
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError
from django.db import InterfaceError, OperationalError, connection

from jobs import queue
from jobs.cluster.supervisor import Cluster
from jobs.engine import heartbeat
from jobs.signals import cluster_starting

PAUSE_SECONDS = 1.0


class Command(BaseCommand):
    """Runs jobs until SIGTERM or SIGINT; kill -9 loses no job."""

    help = "Run the worker cluster: it creates, monitors and ends instances, and sends webhooks."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            cluster_starting.send(sender=type(self))
        except ImproperlyConfigured as error:
            raise CommandError(str(error)) from None
        _prepare()
        sys.exit(Cluster().run())


def _prepare() -> None:
    """Write the rows that a cluster needs. Waits while the database is unavailable or read-only, so
    that nothing must be started by hand after a failover.
    """
    while True:
        try:
            queue.ensure_recurring()
            heartbeat.forget_dead()
        except (OperationalError, InterfaceError):
            connection.close()
            time.sleep(PAUSE_SECONDS)
        else:
            return
