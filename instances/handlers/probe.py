"""probe_upstream: a small call to Novita if there was none lately, for /health; recurring."""

from collections.abc import Mapping, Sequence
from datetime import timedelta

from django.conf import settings

from core.clock import database_now
from instances.models import UpstreamGate
from instances.novita import client_factory, holds, limiter
from instances.novita.call_classes import CallClass
from instances.novita.limiter import Permit
from jobs.handler import Handler, Resolved, WorkItem
from jobs.models import Job
from jobs.outcomes import Again, Outcome
from upstream.call_records import CallOutcome, CallRecord
from upstream.errors import NovitaError

EVERY = timedelta(seconds=10)
# While creates are held, so that the end of the hold is noticed within seconds.
EVERY_WHILE_HELD = timedelta(seconds=5)


class ProbeUpstream(Handler[Permit, Sequence[CallRecord]]):
    """Lists the clusters, at most every EVERY, or every EVERY_WHILE_HELD while creates are held."""

    def load(self, jobs: Sequence[Job]) -> Sequence[WorkItem[Permit] | Resolved]:
        row = UpstreamGate.objects.filter(account=settings.CONFIG.upstream_account).first()
        if row is not None and row.last_success_at is not None and _is_well(row):
            age = database_now() - row.last_success_at
            if age < EVERY:
                return [Resolved({job.pk: Again(EVERY - age) for job in jobs})]
        permit = limiter.reserve(1, CallClass.WATCH)
        if not permit.is_granted:
            return [Resolved({job.pk: Again(min(permit.wait, EVERY_WHILE_HELD)) for job in jobs})]
        return [WorkItem(jobs, permit)]

    def call(self, work: Permit) -> Sequence[CallRecord]:
        client = client_factory.client(work)
        try:
            client.list_clusters()
        except NovitaError:
            return client.calls
        return client.calls

    def record_usage(self, calls: Sequence[tuple[Permit, Sequence[CallRecord]]]) -> None:
        limiter.report((work, result) for work, result in calls)

    def apply(
        self, jobs: Sequence[Job], work: Permit, result: Sequence[CallRecord]
    ) -> Mapping[int, Outcome]:
        is_well = all(call.outcome == CallOutcome.OK for call in result)
        return {job.pk: Again(EVERY if is_well else EVERY_WHILE_HELD) for job in jobs}


def _is_well(row: UpstreamGate) -> bool:
    return row.failures_in_a_row == 0 and not holds.is_create_held(row)
