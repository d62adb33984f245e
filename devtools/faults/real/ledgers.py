"""Checks the promises of a running stack, with the ledgers on both sides of it."""

import time
from collections.abc import Sequence
from functools import partial
from typing import Any

from core.sealing import sealer_of, unsealed_with
from devtools.faults.invariants import check_all
from devtools.faults.ledger import Delete, Ledger, Message, Truth
from devtools.faults.real.stack import SECRET_KEY, Stack

POLL_SECONDS = 0.3
COUNTER = "SELECT coalesce(sum(value), 0)::int FROM jobs_counter WHERE name = %s"


def ledger_of(stack: Stack) -> Ledger:
    """Our rows, all of one snapshot."""
    with stack.connect() as database, database.transaction():
        database.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        return Ledger.load(database.cursor(), partial(unsealed_with, sealer_of((), (SECRET_KEY,))))


def truth_of(stack: Stack) -> Truth:
    """Instances made upstream, received webhooks, and promises to callers."""
    deliveries = stack.receiver.control.deliveries()
    ledger = stack.simulator.control.ledger()
    return Truth(
        instances=ledger.instances,
        messages=[Message.parse(delivery) for delivery in deliveries],
        accepted=list(stack.accepted),
        deletes=Delete.all_of(ledger.calls),
        asked=dict(stack.asked),
        start_seconds=stack.start_seconds,
    )


def violations_of(stack: Stack) -> list[str]:
    """The violations at this moment; while work is in progress there are always some."""
    return check_all(ledger_of(stack), truth_of(stack))


def await_consistency(stack: Stack, *, seconds: float) -> list[str]:
    """Wait until there are no violations; returns those that remain when the time is over."""
    deadline = time.monotonic() + seconds
    while found := violations_of(stack):
        if time.monotonic() > deadline:
            return found
        time.sleep(POLL_SECONDS)
    return []


def counter(stack: Stack, name: str) -> int:
    """The value of one of jobs.counters, over all processes."""
    with stack.connect() as database:
        rows = database.execute(COUNTER, [name]).fetchall()
    value: int = rows[0][0]
    return value


def rows(stack: Stack, statement: str, *parameters: Any) -> Sequence[tuple[Any, ...]]:
    """A query to the database itself, not through a proxy."""
    with stack.connect() as database:
        return database.execute(statement, parameters).fetchall()
