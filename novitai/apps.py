"""App configuration of the project: commands, tables, and the checks at the start."""

from django.apps import AppConfig
from django.core import checks


class NovitaiConfig(AppConfig):
    name = "novitai"

    def ready(self) -> None:
        from core.database.bounds import serve_with_bounds
        from core.database.starting import check_database, refuse_for_workers
        from jobs.signals import cluster_starting

        checks.register(check_database, checks.Tags.database)
        cluster_starting.connect(refuse_for_workers, dispatch_uid="novitai.refuse_for_workers")
        # Worker processes are forked from the command and inherit this.
        cluster_starting.connect(lambda **_: serve_with_bounds(), weak=False)
