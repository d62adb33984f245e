"""Registers the benchmark's job types in place of the service's, which would call Novita."""

from datetime import timedelta

from django.apps import AppConfig


class EngineBenchConfig(AppConfig):
    name = "devtools.benchmarks.competitors.engine"
    label = "engine_bench"

    def ready(self) -> None:
        from devtools.benchmarks.competitors.base import BATCH, BATCHED, COMMIT, HANG, MARK, NOOP
        from devtools.benchmarks.competitors.engine import handlers
        from jobs import handler as job_handler
        from jobs.handler import JobType

        for name, job_type in list(job_handler._types.items()):
            if type(job_type.handler).__module__.startswith("instances."):
                del job_handler._types[name]
        hour = timedelta(hours=1)
        for ours in (
            JobType(NOOP, handlers.Noop(), batch_size=1, max_in_flight=400),
            JobType(BATCHED, handlers.Batched(), batch_size=BATCH, max_in_flight=4_000),
            JobType(COMMIT, handlers.Commit(), batch_size=BATCH, max_in_flight=1_000),
            JobType(MARK, handlers.Mark(), batch_size=50, max_in_flight=400),
            JobType(HANG, handlers.Hang(), batch_size=20, max_in_flight=100, run_limit=hour),
            JobType(handlers.FLOOD, handlers.Talker(), batch_size=20, max_in_flight=60),
            JobType(handlers.TALKER, handlers.Talker(), batch_size=50, max_in_flight=400),
            JobType(handlers.STALE, handlers.Stale(), batch_size=20, max_in_flight=100),
            JobType(handlers.ONCE, handlers.Once(), batch_size=BATCH, max_in_flight=4_000),
        ):
            job_handler.register_type(ours)
