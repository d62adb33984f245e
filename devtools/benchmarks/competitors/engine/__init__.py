"""This project's engine, with the real ``manage.py worker``."""

from devtools.benchmarks.competitors.base import BATCHED, COMMIT, NOOP, WORKERS, Competitor, python

ENV = {
    "DJANGO_SETTINGS_MODULE": "devtools.benchmarks.competitors.engine.settings",
    "JOB_WORKERS": str(WORKERS),
    "JOB_THREADS": "64",
    "LOG_LEVEL": "WARNING",
    "NOVITAI_ENV": "development",
    "NOVITA_API_KEY": "sk_unused",
}

ENGINE = Competitor(
    name="engine",
    title="this engine",
    client="devtools.benchmarks.competitors.engine.client:EngineClient",
    commands=[python("manage.py", "worker")],
    drains={NOOP: 2_000, BATCHED: 60_000, COMMIT: 8_000},
    settings=[
        f"`manage.py worker` with JOB_WORKERS={WORKERS}, JOB_THREADS=64: leases, tokens, heartbeat",
        "batched: batch_size 200, max_in_flight 4,000; one by one: batch_size 1, max_in_flight 400",
        "with a commit each: batch_size 200, the handler commits a row of its own for every job",
        "finished rows are kept",
    ],
    env=ENV,
)
