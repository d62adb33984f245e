"""The Procrastinate application and its tasks."""

import asyncio
from typing import Any

import procrastinate
from procrastinate import JobContext

from devtools.benchmarks.contenders import effects, site
from devtools.benchmarks.marks import mark as put_mark
from devtools.benchmarks.marks import release_file

connector = procrastinate.PsycopgConnector(conninfo=site.database(), max_size=10)
app = procrastinate.App(connector=connector)


@app.task(name="noop")
async def noop(n: int) -> None:
    """Nothing."""


@app.task(name="commit")
async def commit(n: int) -> None:
    """Through the pool that the worker has anyway."""
    await connector.execute_query_async(effects.INSERT.replace("%s", "%(n)s"), n=n)


@app.task(name="mark")
async def mark(n: int) -> None:
    """Say when it started."""
    put_mark([n])


@app.task(name="hang")
async def hang(n: int) -> None:
    """Say when it started, and hang until released."""
    put_mark([n])
    while not release_file().exists():
        await asyncio.sleep(0.2)


# The recipe of Procrastinate's documentation ("Retry stalled jobs"), which runs it every ten
# minutes; here every five seconds (the sixth field), by the same workers.
@app.periodic(cron="* * * * * */5")
@app.task(name="retry_stalled", queueing_lock="retry_stalled", pass_context=True)
async def retry_stalled(context: JobContext, timestamp: int) -> None:
    """Put jobs of dead workers back."""
    manager: Any = app.job_manager
    for job in await manager.get_stalled_jobs():
        await manager.retry_job(job)
