"""Finds a create of unknown outcome by its unique name, or proves that it did not happen."""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings

from core.clock import database_now
from instances.domain.enums import CreateStep, InstanceStatus
from instances.lifecycle.terminations import begin_ending
from instances.lifecycle.transitions import record_event
from instances.lifecycle.waiting import end_wait
from instances.models import Instance
from instances.models.locking import cause_of, locked_instances
from instances.novita import client_factory, limiter, listing_profile
from instances.novita.call_classes import CallClass
from instances.novita.limiter import Permit
from instances.novita.witnesses import has_any_vanished, known_to_live, lacks_any
from instances.provisioning.common import RETRY_AFTER, count_unanswered
from instances.provisioning.results import never_created, placed
from jobs.failpoints import failpoint
from jobs.handler import Resolved, WorkItem
from jobs.models import Job
from jobs.outcomes import Again, Outcome
from upstream.call_records import CallRecord
from upstream.client import NovitaClient
from upstream.errors import NovitaError
from upstream.types import Listing, UpstreamInstance

# A new instance may be missing from Novita's list for a while: one list proves no absence.
LISTS_TO_PROVE_ABSENCE = 3
OTHER_ACCOUNT = timedelta(minutes=1)
# Beyond the expected pages: for growth, and for an API whose pages start at 0.
SPARE_CALLS = 3
NAMED_CALLS = 4


@dataclass(frozen=True, slots=True)
class RecoverWork:
    """Names to find.

    Thorough: read the whole list, since Novita's name filter may miss instances; one list serves
    all jobs. ``known``: witnesses that a whole list must contain. ``is_blindness_possible``: there
    are none, because the last of them vanished after the oldest of these creates was sent.
    """

    upstream_names: tuple[str, ...]
    is_thorough: bool
    permit: Permit
    # Database time before the first call: an absence is proven for this moment.
    begun_at: datetime
    pages: int = 1
    request_id: str = ""
    known: Sequence[str] = ()
    is_blindness_possible: bool = False


@dataclass(frozen=True, slots=True)
class RecoverResult:
    """Instances that carry the names.

    Names neither found nor in ``absent`` stay unconfirmed. ``has_failed``: Novita did not answer,
    so that the next try may come soon.
    """

    calls: Sequence[CallRecord]
    found: Sequence[UpstreamInstance] = ()
    absent: Set[str] = frozenset()
    pages: int = 1
    has_failed: bool = False


def prepare(
    jobs: Sequence[Job], instances: Mapping[str, Instance]
) -> Sequence[WorkItem[RecoverWork] | Resolved]:
    account = settings.CONFIG.upstream_account
    # A list of another account proves nothing: these jobs wait for the configured key to return.
    strange = [job for job in jobs if instances[job.subject].upstream_account != account]
    parts: list[WorkItem[RecoverWork] | Resolved] = [
        Resolved({job.pk: Again(OTHER_ACCOUNT) for job in strange})
    ]
    thorough: list[Job] = []
    for job in jobs:
        if job not in strange:
            if instances[job.subject].lookup_count:
                # Only a whole list can prove absence.
                thorough.append(job)
            else:
                parts.append(_recovery([job], instances, NAMED_CALLS, pages=1, is_thorough=False))
    if thorough:
        pages = listing_profile.recall_whole()
        calls = pages + SPARE_CALLS + 2 * len(thorough)
        parts.append(_recovery(thorough, instances, calls, pages=pages, is_thorough=True))
    return parts


def _recovery(
    jobs: Sequence[Job],
    instances: Mapping[str, Instance],
    calls: int,
    *,
    pages: int,
    is_thorough: bool,
) -> WorkItem[RecoverWork] | Resolved:
    permit = limiter.reserve(calls, CallClass.WATCH, at_least=NAMED_CALLS if is_thorough else 2)
    if not permit.is_granted:
        return Resolved({job.pk: Again(permit.wait) for job in jobs})
    known = known_to_live() if is_thorough else ()
    posted = [instances[job.subject].posted_at or database_now() for job in jobs]
    work = RecoverWork(
        tuple(instances[job.subject].upstream_name for job in jobs),
        is_thorough,
        permit,
        begun_at=database_now(),
        pages=pages,
        request_id=jobs[0].request_id,
        known=known,
        is_blindness_possible=is_thorough and not known and has_any_vanished(min(posted)),
    )
    return WorkItem(jobs, work)


def call(work: RecoverWork) -> RecoverResult:
    client = client_factory.client(work.permit, request_id=work.request_id)
    names = frozenset(work.upstream_names)
    try:
        if work.is_thorough:
            return _read_whole(client, work, names)
        listing = _list_all(client, work.permit.calls - 1, name=work.upstream_names[0])
    except NovitaError:
        return RecoverResult(client.calls, has_failed=True)
    found = _named(listing, names)
    return RecoverResult(client.calls, found, names if listing.is_complete else frozenset())


def _read_whole(client: NovitaClient, work: RecoverWork, names: Set[str]) -> RecoverResult:
    """Read the whole list if the budget allows; else its first page and then each name by filter.

    The filter is used only if it finds a name that is in the list. This keeps creates of accounts
    with thousands of instances from staying unconfirmed for ever.
    """
    is_enough = work.permit.calls >= work.pages + SPARE_CALLS
    listing = _list_all(client, work.permit.calls - SPARE_CALLS if is_enough else 1)
    pages = listing_profile.pages_of(listing, calls=len(client.calls))
    found = _named(listing, names)
    if listing.is_complete:
        # A list without a witness proves no absence, or a create could be sent twice.
        is_doubted = work.is_blindness_possible or lacks_any(listing, work.known)
        absent_names = frozenset() if is_doubted else names
        return RecoverResult(client.calls, found, absent_names, pages)
    absent: set[str] = set()
    try:
        if _has_working_filter(client, listing):
            for name in sorted(names - {item.name for item in found}):
                by_name = _list_all(client, 1, name=name)
                found += _named(by_name, names)
                absent |= {name} if by_name.is_complete else set()
    except NovitaError:
        # Names not reached stay unconfirmed until the next try.
        pass
    return RecoverResult(client.calls, found, absent, pages)


def _has_working_filter(client: NovitaClient, listing: Listing) -> bool:
    """Whether the name filter finds a listed name and leaves other names out."""
    known = next((item for item in listing.instances.values() if item.name), None)
    if known is None:
        return False
    hits = client.list_instances(page=1, page_size=listing_profile.PAGE_SIZE, name=known.name)
    is_found = any(item.id == known.id for item in hits.instances)
    return is_found and all(known.name.lower() in item.name.lower() for item in hits.instances)


def _list_all(client: NovitaClient, pages: int, *, name: str | None = None) -> Listing:
    return client.list_all_instances(
        name=name, page_size=listing_profile.PAGE_SIZE, max_pages=max(pages, 1)
    )


def _named(listing: Listing, names: Set[str]) -> list[UpstreamInstance]:
    return [item for item in listing.instances.values() if item.name in names]


def apply(jobs: Sequence[Job], work: RecoverWork, result: RecoverResult) -> Mapping[int, Outcome]:
    if work.is_thorough and not result.has_failed:
        listing_profile.learn_whole(result.pages)
    failpoint("look_up.before_commit")
    instances = locked_instances(jobs)
    return {job.pk: _evaluate(job, instances[job.subject], work, result) for job in jobs}


def _evaluate(job: Job, instance: Instance, work: RecoverWork, result: RecoverResult) -> Outcome:
    now = database_now()
    alive = [
        item
        for item in result.found
        if item.name == instance.upstream_name and not item.is_gone_word
    ]
    if alive:
        return _adopt(job, instance, sorted(alive, key=_preference))
    is_complete = instance.upstream_name in result.absent
    if is_complete:
        instance.create_step = CreateStep.LOOK_UP
        instance.lookup_count += 1
        instance.last_lookup_at = now
    # Only by a successful list of this run: a failed one proves nothing, whatever came before.
    if is_complete and _is_absent(instance, work.begun_at):
        if instance.status != InstanceStatus.CREATING:
            return never_created(
                job, instance, f"not found at Novita in {instance.lookup_count} searches"
            )
        return _create_anew(job, instance, now)
    instance.save()
    return Again(_pause(instance, is_soon=is_complete or result.has_failed))


def _preference(item: UpstreamInstance) -> tuple[bool, datetime, str]:
    """Running instances first, then the oldest."""
    return not item.is_running, item.created_at or database_now(), item.id


def _adopt(job: Job, instance: Instance, found: Sequence[UpstreamInstance]) -> Outcome:
    keep, *extra = found
    for item in extra:
        cause = cause_of(job, "the create made more than one GPU")
        begin_ending(instance, item.id, cause=cause, now=database_now())
    return placed(job, instance, keep.id, "found at Novita by its name")


def _is_absent(instance: Instance, listed_at: datetime) -> bool:
    """Enough lists, the last begun ``create_settle`` after the create can last have acted."""
    if instance.posted_at is None or instance.lookup_count < LISTS_TO_PROVE_ABSENCE:
        return False
    deadline = timedelta(seconds=settings.CONFIG.novita_timeout)
    return listed_at >= instance.posted_at + deadline + _settle_time()


def _create_anew(job: Job, instance: Instance, now: datetime) -> Outcome:
    """Proven absent: the create may be sent again.

    Past the start deadline, the next run fails the instance instead.
    """
    instance.create_step = CreateStep.CHOOSE
    instance.posted_at = None
    count_unanswered(instance)
    end_wait(instance)
    cause = cause_of(job, f"not found at Novita in {instance.lookup_count} searches")
    record_event(instance, "instance.create_disproved", cause=cause, now=now)
    return Again()


def _pause(instance: Instance, *, is_soon: bool) -> timedelta:
    """Short pauses first, since most lost creates are found at once; then over the settle time.

    Long pauses, too, after a partial list: the next one costs as many calls.
    """
    if is_soon and instance.lookup_count < 2:
        return RETRY_AFTER
    return max(_settle_time() / LISTS_TO_PROVE_ABSENCE, timedelta(seconds=1))


def _settle_time() -> timedelta:
    return timedelta(seconds=settings.CONFIG.create_settle)
