"""probe_upstream: asks Novita something small when nobody else has lately, so /health knows."""

from collections.abc import Mapping, Sequence
from datetime import timedelta

from django.conf import settings

from instances import gate, upstream
from instances.database_clock import database_now
from instances.gate import Permit
from instances.models import UpstreamGate
from instances.novita.calls import CallRecord
from instances.novita.errors import NovitaError
from jobs.models import Job
from jobs.outcomes import Again, Outcome
from jobs.registry import Decided, Handler, Unit

EVERY = timedelta(seconds=10)


class ProbeUpstream(Handler[Permit, Sequence[CallRecord]]):
    """One listing of the clusters, at most every ten seconds."""

    def load(self, jobs: Sequence[Job]) -> Sequence[Unit[Permit] | Decided]:
        gate_row = UpstreamGate.objects.filter(account=settings.CONFIG.upstream_account).first()
        if gate_row is not None and gate_row.last_success_at is not None:
            age = database_now() - gate_row.last_success_at
            is_well = gate_row.failures_in_a_row == 0
            if is_well and age < EVERY:
                return [Decided({job.pk: Again(EVERY - age) for job in jobs})]
        permit = gate.reserve(1)
        if not permit.is_granted:
            return [Decided({job.pk: Again(min(permit.wait, EVERY)) for job in jobs})]
        return [Unit(jobs, permit)]

    def talk(self, work: Permit) -> Sequence[CallRecord]:
        client = upstream.client(work)
        try:
            client.list_clusters()
        except NovitaError:
            return client.calls
        return client.calls

    def book(self, talks: Sequence[tuple[Permit, Sequence[CallRecord]]]) -> None:
        gate.report((work, result) for work, result in talks)

    def apply(
        self, jobs: Sequence[Job], work: Permit, result: Sequence[CallRecord]
    ) -> Mapping[int, Outcome]:
        return {job.pk: Again(EVERY) for job in jobs}
