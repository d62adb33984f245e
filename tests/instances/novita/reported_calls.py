"""Calls to Novita as they are reported, and what they leave of the account's limits."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from structlog.testing import capture_logs

from instances.models import UpstreamGate
from instances.novita import limiter
from instances.novita.call_classes import CallClass
from instances.novita.limiter import Permit
from upstream.call_records import CallOutcome, CallRecord
from upstream.errors import Source

READ = CallRecord("list_clusters", CallOutcome.OK, 0.1, 200)
CREATE = replace(READ, endpoint="create_instance")
WORDS = "401 UNAUTHORIZED: invalid api key"
READ_KEY = replace(
    *(READ,), outcome=CallOutcome.KEY_REFUSED, status=401, reason="UNAUTHORIZED", text=WORDS
)
CREATE_KEY = replace(READ_KEY, endpoint="create_instance")
SOLD_OUT = replace(CREATE, outcome=CallOutcome.CLIENT_ERROR, status=400)
DOWN = replace(READ, outcome=CallOutcome.SERVER_ERROR, status=500, counts_as_outage=True)
EDGE = replace(DOWN, outcome=CallOutcome.EDGE_ANSWERED, source=Source.EDGE, status=404)


def report(*calls: CallRecord) -> None:
    limiter.report([(Permit(len(calls)), calls)])


def row() -> UpstreamGate:
    return UpstreamGate.objects.get()


def creates() -> Permit:
    return limiter.reserve(6, CallClass.CREATE, at_least=1, is_create=True)


def reads() -> Permit:
    return limiter.reserve(6, CallClass.WATCH, at_least=1)


@contextmanager
def logged(capture: Any) -> Iterator[list[Any]]:
    with capture_logs() as lines, capture(execute=True):
        yield lines
