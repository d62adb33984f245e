"""After a create of unknown outcome: find it by its unique name, or prove that it is not there."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from django.conf import settings

from instances import gate, habits, upstream
from instances.choices import CreateStep
from instances.creation.common import RETRY_AFTER
from instances.creation.posting import placed
from instances.database_clock import database_now
from instances.ending import begin_ending
from instances.gate import Permit
from instances.models import Instance
from instances.novita.calls import CallRecord
from instances.novita.errors import NovitaError
from instances.novita.types import UpstreamInstance
from instances.subjects import cause_of, locked_instances
from instances.transitions import record_event
from jobs.models import Job
from jobs.outcomes import Again, Outcome
from jobs.registry import Decided, Unit

# A fresh instance may be missing from the list for a while: no single look proves absence.
LOOKS_TO_PROVE_ABSENCE = 3
OTHER_ACCOUNT = timedelta(minutes=1)
# Beyond the pages that are expected: room for growth, and for a page 0 where counting starts there.
SPARE_CALLS = 3


@dataclass(frozen=True, slots=True)
class LookUpWork:
    """The exact name to find. A thorough look reads the whole list, in case the upstream's loose
    name filter does not find what is there.
    """

    upstream_name: str
    is_thorough: bool
    permit: Permit
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class LookedUp:
    """What carries the name; a look that was not complete proves nothing."""

    calls: Sequence[CallRecord]
    matches: Sequence[UpstreamInstance] = ()
    is_complete: bool = False
    pages: int = 1


def prepare(
    jobs: Sequence[Job], instances: Mapping[str, Instance]
) -> Sequence[Unit[LookUpWork] | Decided]:
    parts: list[Unit[LookUpWork] | Decided] = []
    for job in jobs:
        instance = instances[job.subject]
        if instance.upstream_account != settings.CONFIG.upstream_account:
            # Looking under another account would prove nothing; wait for the right key.
            parts.append(Decided({job.pk: Again(OTHER_ACCOUNT)}))
            continue
        permit = gate.reserve(habits.recall().pages + SPARE_CALLS, at_least=2)
        if not permit.is_granted:
            parts.append(Decided({job.pk: Again(permit.wait)}))
            continue
        is_thorough = instance.lookup_count % LOOKS_TO_PROVE_ABSENCE != 0
        work = LookUpWork(instance.upstream_name, is_thorough, permit, job.request_id)
        parts.append(Unit([job], work))
    return parts


def talk(work: LookUpWork) -> LookedUp:
    client = upstream.client(work.permit, request_id=work.request_id)
    name = None if work.is_thorough else work.upstream_name
    try:
        listing = client.list_all_instances(
            name=name, page_size=habits.PAGE_SIZE, max_pages=work.permit.calls - 1
        )
    except NovitaError:
        return LookedUp(client.calls)
    found = [item for item in listing.instances.values() if item.name == work.upstream_name]
    pages = habits.pages_of(listing, calls=len(client.calls))
    return LookedUp(client.calls, found, listing.is_complete, pages)


def apply(jobs: Sequence[Job], work: LookUpWork, result: LookedUp) -> Mapping[int, Outcome]:
    (job,) = jobs
    instance = locked_instances(jobs)[job.subject]
    now = database_now()
    known = habits.recall()
    if result.pages > known.pages:
        # A look that could not be complete for want of calls: the next one asks for enough.
        habits.learn(replace(known, pages=result.pages))
    alive = sorted((item for item in result.matches if not item.is_gone_word), key=_preference)
    if alive:
        return {job.pk: _adopt(job, instance, alive)}
    if result.is_complete:
        instance.create_step = CreateStep.LOOK_UP
        instance.lookup_count += 1
        instance.last_lookup_at = now
    if _is_absent(instance, now):
        return {job.pk: _create_anew(job, instance, now)}
    instance.save()
    return {job.pk: Again(_pause(instance))}


def _preference(item: UpstreamInstance) -> tuple[bool, datetime, str]:
    """The running one before the oldest one."""
    return not item.is_running, item.created_at or database_now(), item.id


def _adopt(job: Job, instance: Instance, found: Sequence[UpstreamInstance]) -> Outcome:
    keep, *extra = found
    for item in extra:
        cause = cause_of(job, "the create acted more than once")
        begin_ending(instance, item.id, cause=cause, now=database_now())
    return placed(job, instance, keep.id, "found at Novita by its name")


def _is_absent(instance: Instance, now: datetime) -> bool:
    """Several looks, over the settle time after the last moment the create can have acted."""
    if instance.posted_at is None or instance.lookup_count < LOOKS_TO_PROVE_ABSENCE:
        return False
    deadline = timedelta(seconds=settings.CONFIG.novita_timeout)
    return now >= instance.posted_at + deadline + _settle()


def _create_anew(job: Job, instance: Instance, now: datetime) -> Outcome:
    """Proven absent: the create did not act, so it may be sent again. Past the start deadline
    the next run fails the instance instead.
    """
    instance.create_step = CreateStep.CHOOSE
    instance.posted_at = None
    cause = cause_of(job, f"not at Novita after {instance.lookup_count} looks")
    record_event(instance, "instance.create_disproved", cause=cause, now=now)
    return Again()


def _pause(instance: Instance) -> timedelta:
    """Quick looks first, since most lost answers are found at once; then over the settle time."""
    if instance.lookup_count < 2:
        return RETRY_AFTER
    return max(_settle() / LOOKS_TO_PROVE_ABSENCE, timedelta(seconds=1))


def _settle() -> timedelta:
    return timedelta(seconds=settings.CONFIG.create_settle)
