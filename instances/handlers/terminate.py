"""terminate_instance: ends one GPU at Novita and never gives up.

Only a direct GET under the account that made it proves absence, and only twice: a delete that was
accepted, refused or lost proves nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings

from instances import gate, upstream
from instances.database_clock import database_now
from instances.gate import Permit
from instances.models import UpstreamEnding
from instances.novita.calls import CallRecord
from instances.novita.errors import InstanceNotFound, NovitaError
from instances.subjects import cause_of, locked_instances
from instances.transitions import record_event
from jobs.crashpoints import crashpoint
from jobs.models import Job
from jobs.outcomes import Again, Done, Outcome
from jobs.registry import Decided, Handler, Unit

BETWEEN_LOOKS = timedelta(seconds=10)
AFTER_DELETE = timedelta(seconds=3)
AFTER_ERROR = timedelta(seconds=15)
OTHER_ACCOUNT = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class EndWork:
    upstream_id: str
    permit: Permit
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class Looked:
    """Absent, present, or unknown with its error."""

    calls: Sequence[CallRecord]
    is_absent: bool = False
    error: NovitaError | None = None


class TerminateInstance(Handler[EndWork, Looked]):
    """Look, delete, look again: until two looks at least ten seconds apart find nothing."""

    def load(self, jobs: Sequence[Job]) -> Sequence[Unit[EndWork] | Decided]:
        return [self._plan(job) for job in jobs]

    def _plan(self, job: Job) -> Unit[EndWork] | Decided:
        ending = _ending(job)
        if ending.confirmed_at is not None:
            return Decided({job.pk: Done()})
        if ending.account != settings.CONFIG.upstream_account:
            return Decided({job.pk: Again(OTHER_ACCOUNT)})
        permit = gate.reserve(2, is_critical=True)
        if not permit.is_granted:
            return Decided({job.pk: Again(permit.wait)})
        return Unit([job], EndWork(ending.upstream_id, permit, job.request_id))

    def talk(self, work: EndWork) -> Looked:
        client = upstream.client(work.permit, request_id=work.request_id)
        try:
            instance = client.get_instance(work.upstream_id)
            if instance.is_gone_word:
                return Looked(client.calls, is_absent=True)
            if not instance.is_leaving_word:
                crashpoint("terminate.before_delete")
                client.delete_instance(work.upstream_id)
                crashpoint("terminate.after_delete")
        except InstanceNotFound:
            return Looked(client.calls, is_absent=client.calls[-1].endpoint == "get_instance")
        except NovitaError as error:
            return Looked(client.calls, error=error)
        return Looked(client.calls)

    def book(self, talks: Sequence[tuple[EndWork, Looked]]) -> None:
        gate.report((work.permit, result.calls) for work, result in talks)

    def apply(self, jobs: Sequence[Job], work: EndWork, result: Looked) -> Mapping[int, Outcome]:
        (job,) = jobs
        instance = locked_instances(jobs)[job.subject]
        ending, now = _ending(job), database_now()
        ending.last_error = str(result.error or "")
        crashpoint("terminate.before_commit")
        if not result.is_absent:
            ending.absence_seen_at = None if result.error is None else ending.absence_seen_at
            ending.save()
            return {job.pk: Again(AFTER_ERROR if result.error else AFTER_DELETE)}
        if ending.absence_seen_at is None or now - ending.absence_seen_at < BETWEEN_LOOKS:
            ending.absence_seen_at = ending.absence_seen_at or now
            ending.save()
            return {job.pk: Again(BETWEEN_LOOKS)}
        ending.confirmed_at = now
        ending.save()
        cause = cause_of(job, "absent at Novita in two looks")
        data = {"novitaInstanceId": ending.upstream_id}
        record_event(instance, "instance.ending_confirmed", cause=cause, now=now, data=data)
        return {job.pk: Done()}


def _ending(job: Job) -> UpstreamEnding:
    return UpstreamEnding.objects.get(
        instance__public_id=job.subject, upstream_id=job.payload["novitaInstanceId"]
    )
