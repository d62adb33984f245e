"""Celery with Redis."""

from devtools.benchmarks.competitors.base import COMMIT, NOOP, WORKERS, Competitor, python

CELERY = Competitor(
    name="celery",
    title="Celery, Redis",
    client="devtools.benchmarks.competitors.celery.client:CeleryClient",
    commands=[
        python(
            *("-m", "celery", "-A", "devtools.benchmarks.competitors.celery.app", "worker"),
            *("--pool", "prefork", "--concurrency", str(WORKERS), "-Ofair", "--loglevel", "ERROR"),
            *("--without-gossip", "--without-mingle", "--without-heartbeat"),
        )
    ],
    drains={NOOP: 3_000, COMMIT: 3_000},
    settings=[
        f"prefork pool of {WORKERS}, prefetch 64 a process, no result backend, events off",
        "acks_late and reject_on_worker_lost, without which a killed worker loses its tasks",
        "Redis of Debian with appendonly, fsync every second: up to a second of acknowledged "
        "enqueues is lost with the machine; all others here are durable at commit",
        "an enqueue is not part of the application's transaction",
    ],
    needs=["celery", "redis"],
    uses_redis=True,
)
