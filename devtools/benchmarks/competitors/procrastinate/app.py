"""The Procrastinate application and its tasks."""

import asyncio
from typing import Any

import procrastinate
from procrastinate import JobContext

from devtools.benchmarks.competitors import effects, site
from devtools.benchmarks.markers import put_marker, release_file

connector = procrastinate.PsycopgConnector(conninfo=site.database(), max_size=10)
app = procrastinate.App(connector=connector)


@app.task(name="noop")
async def noop(n: int) -> None:
    """Does nothing."""


@app.task(name="commit")
async def commit(n: int) -> None:
    """Uses the worker's own connection pool."""
    await connector.execute_query_async(effects.INSERT.replace("%s", "%(n)s"), n=n)


@app.task(name="mark")
async def mark(n: int) -> None:
    """Record the start."""
    put_marker([n])


@app.task(name="hang")
async def hang(n: int) -> None:
    """Record the start, and hang until released."""
    put_marker([n])
    while not release_file().exists():
        await asyncio.sleep(0.2)


# From Procrastinate's documentation ("Retry stalled jobs"), where it runs every ten minutes; here
# every five seconds (the sixth field), by the same workers.
@app.periodic(cron="* * * * * */5")
@app.task(name="retry_stalled", queueing_lock="retry_stalled", pass_context=True)
async def retry_stalled(context: JobContext, timestamp: int) -> None:
    """Return the jobs of dead workers to the queue."""
    manager: Any = app.job_manager
    for job in await manager.get_stalled_jobs():
        await manager.retry_job(job)
