"""``manage.py worker``: the supported way to run the cluster."""

import sys
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError

from jobs import heartbeat, queue
from jobs.cluster import Cluster
from jobs.signals import cluster_starting


class Command(BaseCommand):
    """Runs jobs until SIGTERM or SIGINT; kill -9 loses nothing."""

    help = "Run the worker cluster: creates, watches and ends instances, sends webhooks."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            cluster_starting.send(sender=type(self))
        except ImproperlyConfigured as error:
            raise CommandError(str(error)) from None
        queue.ensure_recurring()
        heartbeat.forget_dead()
        sys.exit(Cluster().run())
