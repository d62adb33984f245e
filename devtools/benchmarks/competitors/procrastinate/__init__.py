"""Procrastinate, asynchronous workers."""

from devtools.benchmarks.competitors.base import COMMIT, NOOP, WORKERS, Competitor, python

PROCRASTINATE = Competitor(
    name="procrastinate",
    title="Procrastinate",
    client="devtools.benchmarks.competitors.procrastinate.client:ProcrastinateClient",
    commands=[
        python(
            *(
                "-m",
                "procrastinate",
                "--app",
                "devtools.benchmarks.competitors.procrastinate.app.app",
            ),
            *("--log-level", "error", "worker", "--concurrency", "10"),
        )
    ]
    * WORKERS,
    drains={NOOP: 1_500, COMMIT: 1_500},
    settings=[
        f"{WORKERS} worker processes, asynchronous tasks, --concurrency 10 each, LISTEN/NOTIFY on",
        "its own connection pool, up to 10 connections a process; finished rows are kept",
    ],
    needs=["procrastinate"],
)
