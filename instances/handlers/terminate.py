"""terminate_instance: ends one GPU at Novita and never gives up.

An accepted, refused or lost delete proves nothing. Absence is proven under the same account by the
first rule of docs/absence.md: Novita says so twice while its list works, or it refuses the id
and lists lack the GPU.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta

from django.conf import settings

from core.clock import database_now
from instances.handlers import termination_results as results
from instances.handlers.termination_results import EndResult, EndWork
from instances.lifecycle.terminations import drop_if_unasked
from instances.models import UpstreamEnding
from instances.models.locking import cause_of, locked_instances
from instances.monitoring import Evidence, ListWord, evidence_of, list_word
from instances.novita import client_factory, installation, limiter, listing_profile
from instances.novita.call_classes import CallClass
from instances.novita.witnesses import known_to_live
from jobs.failpoints import failpoint
from jobs.handler import Handler, Resolved, WorkItem
from jobs.models import Job
from jobs.outcomes import Again, Done, Outcome
from upstream.client import NovitaClient
from upstream.errors import BlankAnswer, InstanceNotFound, NovitaError, UnreadableAnswer
from upstream.types import Listing, UpstreamInstance

OTHER_ACCOUNT = timedelta(minutes=1)
# Endings that share one list; their gets by id are made one after the other.
TOGETHER = 5


class TerminateInstance(Handler[EndWork, EndResult]):
    """Get by id, delete, get again, until the absence is proven."""

    def load(self, jobs: Sequence[Job]) -> Sequence[WorkItem[EndWork] | Resolved]:
        held = installation.paused_if_copy(jobs)
        if held:
            return held
        parts: list[WorkItem[EndWork] | Resolved] = []
        suspects: list[tuple[Job, UpstreamEnding]] = []
        for job in jobs:
            ending = results.ending_of(job)
            if ending is None or ending.confirmed_at is not None or _is_dropped(job, ending):
                parts.append(Resolved({job.pk: Done()}))
            elif ending.account != settings.CONFIG.upstream_account:
                parts.append(Resolved({job.pk: Again(OTHER_ACCOUNT)}))
            elif results.needs_list(ending):
                suspects.append((job, ending))
            else:
                parts.append(_alone(job, ending))
        return [*parts, *_together(suspects)]

    def call(self, work: EndWork) -> EndResult:
        client = client_factory.client(work.permit, request_id=work.request_id)
        listing, list_error, is_readable = None, "", True
        if work.has_list:
            listing, list_error, is_readable = _list(client, work)
        found: dict[str, results.DeleteAttempt] = {}
        for upstream_id in work.upstream_ids:
            if work.permit.calls - len(client.calls) < 1:
                break
            is_listed = list_word(listing, upstream_id) == ListWord.SHOWS
            found[upstream_id] = _end(client, upstream_id, is_listed=is_listed)
        return EndResult(client.calls, found, listing, list_error, is_readable)

    def record_usage(self, calls: Sequence[tuple[EndWork, EndResult]]) -> None:
        limiter.report((work.permit, result.calls) for work, result in calls)

    def apply(self, jobs: Sequence[Job], work: EndWork, result: EndResult) -> Mapping[int, Outcome]:
        instances = locked_instances(jobs)
        outcomes = {
            job.pk: results.apply_result(
                job, instances[job.subject], work, result, now=database_now()
            )
            for job in jobs
        }
        failpoint("terminate.before_commit")
        return outcomes

    def is_redrivable(self, job: Job) -> bool:
        return True


def _is_dropped(job: Job, ending: UpstreamEnding) -> bool:
    cause = cause_of(job, "its termination was never requested")
    return drop_if_unasked(ending, cause=cause, now=database_now())


def _alone(job: Job, ending: UpstreamEnding) -> WorkItem[EndWork] | Resolved:
    permit = limiter.reserve(2, CallClass.END)
    if not permit.is_granted:
        return Resolved({job.pk: Again(permit.wait)})
    return WorkItem([job], EndWork((ending.upstream_id,), permit, job.request_id))


def _together(
    suspects: Sequence[tuple[Job, UpstreamEnding]],
) -> Sequence[WorkItem[EndWork] | Resolved]:
    """Endings that need a list: not found by id, or not readable by id."""
    parts: list[WorkItem[EndWork] | Resolved] = []
    known = known_to_live() if suspects else ()
    pages = listing_profile.recall_whole()
    for start in range(0, len(suspects), TOGETHER):
        some = suspects[start : start + TOGETHER]
        jobs = [job for job, _ in some]
        permit = limiter.reserve(2 * len(some) + pages + 1, CallClass.END, at_least=3)
        if not permit.is_granted:
            parts.append(Resolved({job.pk: Again(permit.wait) for job in jobs}))
            continue
        ids = tuple(ending.upstream_id for _, ending in some)
        parts.append(WorkItem(jobs, EndWork(ids, permit, jobs[0].request_id, True, known)))
    return parts


def _list(client: NovitaClient, work: EndWork) -> tuple[Listing | None, str, bool]:
    """The list, or the error, and whether the answer was readable."""
    most = work.permit.calls - 2 * len(work.upstream_ids) - 1
    try:
        listing = client.list_all_instances(
            page_size=listing_profile.PAGE_SIZE, max_pages=max(most, 1)
        )
    except UnreadableAnswer as error:
        return Listing({}, None, is_complete=False), str(error), False
    except NovitaError as error:
        return None, str(error), True
    return listing, "", True


def _end(client: NovitaClient, upstream_id: str, *, is_listed: bool) -> results.DeleteAttempt:
    """Get by id, and delete if the GPU may exist.

    It may exist if it is seen, is in the list, or if its id is refused in unknown words.
    """
    seen: UpstreamInstance | None = None
    error: NovitaError | None
    try:
        seen = client.get_instance(upstream_id)
        evidence, error = evidence_of(seen, None), None
    except BlankAnswer as caught:
        # Evidence for a requested end, together with lists that lack the GPU; for nothing else.
        evidence, error = Evidence.REFUSED, caught
    except NovitaError as caught:
        evidence, error = evidence_of(None, caught), caught
    is_leaving = seen is not None and seen.is_leaving_word
    is_there = evidence in (Evidence.SEEN, Evidence.REFUSED)
    is_there |= is_listed
    if not is_there or is_leaving:
        return results.DeleteAttempt(evidence, seen, error)
    try:
        failpoint("terminate.before_delete")
        client.delete_instance(upstream_id)
        failpoint("terminate.after_delete")
    except InstanceNotFound:
        # It may be leaving already: the next run decides.
        return results.DeleteAttempt(evidence, seen, error)
    except NovitaError as caught:
        return results.DeleteAttempt(evidence, seen, error or caught)
    return results.DeleteAttempt(evidence, seen, error, is_deleted=True)
