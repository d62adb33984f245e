"""``manage.py worker``: the supported way to run the cluster."""

import sys
from typing import Any

from django.core.management.base import BaseCommand

from jobs import heartbeat, queue
from jobs.cluster import Cluster


class Command(BaseCommand):
    """Runs jobs until SIGTERM or SIGINT; kill -9 loses nothing."""

    help = "Run the worker cluster: creates, watches and ends instances, sends webhooks."

    def handle(self, *args: Any, **options: Any) -> None:
        queue.ensure_recurring()
        heartbeat.forget_dead()
        sys.exit(Cluster().run())
