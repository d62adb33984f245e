"""terminate_instance: ends one GPU at Novita and never gives up.

Only a direct GET under the account that made it proves absence, and only twice: a delete that was
accepted, refused or lost proves nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings

from instances import billing, environment, gate, upstream
from instances.choices import InstanceStatus
from instances.database_clock import database_now
from instances.gate import Permit
from instances.models import Instance, UpstreamEnding
from instances.novita.calls import CallRecord
from instances.novita.errors import InstanceNotFound, NovitaError
from instances.novita.types import UpstreamInstance
from instances.subjects import cause_of, locked_instances
from instances.transitions import change_status, reason_of, record_event
from instances.watching import absence
from instances.watching.absence import BETWEEN_LOOKS
from jobs.crashpoints import crashpoint
from jobs.models import Job
from jobs.outcomes import Again, Done, Outcome
from jobs.registry import Decided, Handler, Unit

AFTER_DELETE = timedelta(seconds=3)
AFTER_ERROR = timedelta(seconds=15)
OTHER_ACCOUNT = timedelta(minutes=1)
# A delete without effect is repeated more slowly, the longer it goes on: at most so much.
LONGEST_PAUSE = timedelta(seconds=30)
QUICK_LOOKS = 5


@dataclass(frozen=True, slots=True)
class EndWork:
    upstream_id: str
    permit: Permit
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class Looked:
    """Absent, present, or unknown with its error; ``is_deleted``: Novita took the delete."""

    calls: Sequence[CallRecord]
    is_absent: bool = False
    error: NovitaError | None = None
    seen: UpstreamInstance | None = None
    is_deleted: bool = False


class TerminateInstance(Handler[EndWork, Looked]):
    """Look, delete, look again: until two looks at least ten seconds apart find nothing."""

    def load(self, jobs: Sequence[Job]) -> Sequence[Unit[EndWork] | Decided]:
        return environment.held_back(jobs) or [self._plan(job) for job in jobs]

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
        seen = None
        try:
            seen = client.get_instance(work.upstream_id)
            if seen.is_gone_word:
                return Looked(client.calls, is_absent=True)
            if seen.is_leaving_word:
                return Looked(client.calls, seen=seen)
            crashpoint("terminate.before_delete")
            client.delete_instance(work.upstream_id)
            crashpoint("terminate.after_delete")
            return Looked(client.calls, seen=seen, is_deleted=True)
        except InstanceNotFound:
            is_absent = client.calls[-1].endpoint == "get_instance"
            return Looked(client.calls, is_absent=is_absent, seen=seen)
        except NovitaError as error:
            return Looked(client.calls, error=error, seen=seen)

    def book(self, talks: Sequence[tuple[EndWork, Looked]]) -> None:
        gate.report((work.permit, result.calls) for work, result in talks)

    def apply(self, jobs: Sequence[Job], work: EndWork, result: Looked) -> Mapping[int, Outcome]:
        (job,) = jobs
        instance = locked_instances(jobs)[job.subject]
        ending, now = _ending(job), database_now()
        _note_cost(instance, ending, result, now)
        if result.is_absent and _is_too_young(instance, ending, now):
            return {job.pk: Again(BETWEEN_LOOKS)}
        outcome = _judge(ending, result, now)
        if ending.confirmed_at is not None:
            _confirmed(instance, ending, job, now)
        ending.save()
        crashpoint("terminate.before_commit")
        return {job.pk: outcome}

    def is_redrivable(self, job: Job) -> bool:
        return True


def _is_too_young(instance: Instance, ending: UpstreamEnding, now: datetime) -> bool:
    is_its_own = instance.upstream_id == ending.upstream_id
    return is_its_own and absence.is_perhaps_too_young(instance, now)


def _judge(ending: UpstreamEnding, result: Looked, now: datetime) -> Outcome:
    """Two looks that find nothing, at least ten seconds apart, with nothing seen between them."""
    ending.looks += 1
    ending.last_error = str(result.error or "")
    if not result.is_absent:
        ending.absence_seen_at = None if result.error is None else ending.absence_seen_at
        return Again(AFTER_ERROR if result.error else _pause(ending.looks))
    if ending.absence_seen_at is None or now - ending.absence_seen_at < BETWEEN_LOOKS:
        ending.absence_seen_at = ending.absence_seen_at or now
        return Again(BETWEEN_LOOKS)
    ending.confirmed_at = now
    return Done()


def _pause(looks: int) -> timedelta:
    return min(AFTER_DELETE * max(1, looks - QUICK_LOOKS), LONGEST_PAUSE)


def _note_cost(instance: Instance, ending: UpstreamEnding, result: Looked, now: datetime) -> None:
    """Charging ends when Novita takes the delete; a delete that it ignores is charged on.

    Every look that saw it sent a delete: what is leaving left then, even if the answer was lost.
    """
    if instance.upstream_id != ending.upstream_id:
        return
    is_leaving = result.is_absent or (result.seen is not None and result.seen.is_leaving_word)
    if is_leaving and ending.looks:
        billing.close(instance, instance.upstream_seen_at or now)
    if result.seen is not None:
        if ending.looks:
            billing.go_on(instance, result.seen)
        billing.note(instance, result.seen, now=now)
        instance.upstream_status = result.seen.status
        instance.upstream_seen_at = now
    if result.is_deleted:
        billing.close(instance, now)
    elif result.is_absent:
        billing.close_unseen(instance, now)
    instance.save()


def _confirmed(instance: Instance, ending: UpstreamEnding, job: Job, now: datetime) -> None:
    """Nothing of it is left at Novita; with the last of its GPUs the instance is terminated."""
    cause = cause_of(job, "absent at Novita in two looks")
    data = {"novitaInstanceId": ending.upstream_id}
    if instance.upstream_id == ending.upstream_id:
        instance.upstream_gone_at = now
        instance.upstream_status = "removed"
    record_event(instance, "instance.ending_confirmed", cause=cause, now=now, data=data)
    others = instance.endings.filter(confirmed_at=None).exclude(pk=ending.pk)
    is_left = instance.is_holding or instance.is_in_doubt or others.exists()
    if instance.status == InstanceStatus.TERMINATING and not is_left:
        why = reason_of(instance)
        change_status(instance, InstanceStatus.TERMINATED, cause=cause, now=now, reason=why)


def _ending(job: Job) -> UpstreamEnding:
    return UpstreamEnding.objects.get(
        instance__public_id=job.subject, upstream_id=job.payload["novitaInstanceId"]
    )
