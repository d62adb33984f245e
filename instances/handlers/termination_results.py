"""Applies the result of a run of terminate_instance: cost, absence, events."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from core.clock import iso
from instances.domain.enums import InstanceStatus, StatusReason
from instances.lifecycle import charges
from instances.lifecycle.transitions import change_status, reason_of, record_event
from instances.models import Instance, UpstreamEnding
from instances.models.locking import cause_of
from instances.monitoring import (
    AskedTrail,
    Evidence,
    ListWord,
    Pass,
    absence_after,
    is_perhaps_too_young,
    list_word,
    weigh_asked,
)
from instances.monitoring.absence import BETWEEN_OBSERVATIONS
from instances.novita.limiter import Permit
from instances.novita.witnesses import lacks_all
from jobs.models import Job
from jobs.outcomes import Again, Done, Outcome
from upstream.call_records import CallRecord
from upstream.errors import NovitaError
from upstream.types import Listing, UpstreamInstance

AFTER_DELETE = timedelta(seconds=3)
AFTER_ERROR = timedelta(seconds=15)
# Longest pause between deletes without effect.
LONGEST_PAUSE = timedelta(seconds=30)
QUICK_ATTEMPTS = 5
# Age of an ending at which the instance's events show Novita's answer.
HELD_UP_AFTER = timedelta(minutes=5)
_HELD_UP = StatusReason.ENDING_HELD_UP
# Accepted deletes without effect after which Novita's answer is reported.
DELETES_IGNORED = 2


@dataclass(frozen=True, slots=True)
class EndWork:
    """GPUs to end.

    ``has_list``: also read the list, since a get by id has not found them. ``known``: witnesses,
    which a list must contain.
    """

    upstream_ids: tuple[str, ...]
    permit: Permit
    request_id: str = ""
    has_list: bool = False
    known: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DeleteAttempt:
    """Result of a get by id, and whether Novita accepted the delete after it."""

    evidence: Evidence
    seen: UpstreamInstance | None = None
    error: NovitaError | None = None
    is_deleted: bool = False


@dataclass(frozen=True, slots=True)
class EndResult:
    """Results by Novita's id; a GPU without an entry was not read, for lack of calls."""

    calls: Sequence[CallRecord]
    attempts: Mapping[str, DeleteAttempt] = field(default_factory=dict)
    listing: Listing | None = None
    list_error: str = ""
    is_list_readable: bool = True


def ending_of(job: Job) -> UpstreamEnding | None:
    """The ending of the job; None if it was deleted in the meantime."""
    return UpstreamEnding.objects.filter(
        instance__public_id=job.subject, upstream_id=job.payload["novitaInstanceId"]
    ).first()


def needs_list(ending: UpstreamEnding) -> bool:
    """Whether gets by id are not enough: one did not find it, or none gives an answer for long."""
    return trail_of(ending).is_suspect or ending.held_up_at is not None


def trail_of(ending: UpstreamEnding) -> AskedTrail:
    return AskedTrail(
        said_gone_at=ending.absence_seen_at,
        refused_since=ending.refused_since,
        refusals=ending.refused_looks,
        lists=ending.lists_without,
        list_at=ending.list_without_at,
    )


def apply_result(
    job: Job, instance: Instance, work: EndWork, result: EndResult, *, now: datetime
) -> Outcome:
    """Apply the result of one run. The instance is locked."""
    ending = ending_of(job)
    if ending is None:
        return Done()
    attempt = result.attempts.get(ending.upstream_id)
    if attempt is None:
        return Again(AFTER_DELETE)
    _note(instance, ending, attempt, now)
    is_own = instance.upstream_id == ending.upstream_id
    is_unseen = attempt.evidence in (Evidence.SAID_GONE, Evidence.REFUSED)
    if is_unseen and is_own and is_perhaps_too_young(instance, now):
        return Again(BETWEEN_OBSERVATIONS)
    outcome = _evaluate(ending, attempt, work, result, now)
    if ending.confirmed_at is not None:
        _confirmed(instance, ending, job, now)
    else:
        _tell_if_held_up(instance, ending, job, now)
    ending.save()
    return outcome


def _evaluate(
    ending: UpstreamEnding, attempt: DeleteAttempt, work: EndWork, result: EndResult, now: datetime
) -> Outcome:
    ending.looks += 1
    before = trail_of(ending)
    seen = _pass(ending, attempt, work, result)
    trail, is_gone = weigh_asked(before, seen, now, absence_after())
    ending.absence_seen_at, ending.refused_since = trail.said_gone_at, trail.refused_since
    ending.refused_looks = trail.refusals
    ending.lists_without, ending.list_without_at = trail.lists, trail.list_at
    is_leaving = attempt.seen is not None and attempt.seen.is_leaving_word
    ending.deletes_accepted = 0 if is_leaving else ending.deletes_accepted + attempt.is_deleted
    _explain(ending, attempt, seen, result, now)
    if is_gone:
        ending.confirmed_at = now
        return Done()
    return Again(_pause(ending, attempt))


def _pass(ending: UpstreamEnding, attempt: DeleteAttempt, work: EndWork, result: EndResult) -> Pass:
    if not work.has_list:
        return Pass(attempt.evidence, ListWord.FAILED)
    listing = result.listing
    is_blind = listing is not None and lacks_all(listing, work.known)
    is_doubted = is_blind or not result.is_list_readable
    return Pass(attempt.evidence, list_word(listing, ending.upstream_id), is_doubted)


def _pause(ending: UpstreamEnding, attempt: DeleteAttempt) -> timedelta:
    if attempt.evidence == Evidence.NOTHING or (
        attempt.error is not None and attempt.seen is not None
    ):
        return AFTER_ERROR
    if attempt.evidence == Evidence.SEEN:
        return min(AFTER_DELETE * max(1, ending.looks - QUICK_ATTEMPTS), LONGEST_PAUSE)
    slower = BETWEEN_OBSERVATIONS * max(1, ending.refused_looks // QUICK_ATTEMPTS)
    return min(slower, LONGEST_PAUSE)


# Explanation for people


def _explain(
    ending: UpstreamEnding, attempt: DeleteAttempt, seen: Pass, result: EndResult, now: datetime
) -> None:
    """Save Novita's answer, how often it was repeated, and since when."""
    text = _words(ending, attempt, seen, result)
    is_same = bool(text) and _kind(text) == _kind(ending.last_error)
    ending.error_count = ending.error_count + 1 if is_same else int(bool(text))
    ending.error_since = (ending.error_since or now) if is_same else (now if text else None)
    if ending.error_count > 1 and ending.error_since is not None:
        text = f"{text} ({ending.error_count} times since {iso(ending.error_since)})"
    ending.last_error = text[:500]


def _words(ending: UpstreamEnding, attempt: DeleteAttempt, seen: Pass, result: EndResult) -> str:
    if attempt.seen is not None and ending.deletes_accepted >= DELETES_IGNORED:
        count, status = ending.deletes_accepted, attempt.seen.status
        return f"Novita accepted {count} deletes and still says {status}"
    error = str(attempt.error or "")
    if attempt.evidence not in (Evidence.SAID_GONE, Evidence.REFUSED):
        return error
    answer = error or "it is removed"
    if seen.list_word == ListWord.SHOWS:
        return f"Novita's list shows it, and GET by id says: {answer}"
    if result.list_error:
        return f"Novita's list fails ({result.list_error}), and GET by id says: {answer}"
    return answer if attempt.evidence == Evidence.REFUSED else ""


def _kind(text: str) -> str:
    """The text without its digits and details, to compare answers."""
    return text.split(" (")[0].translate(_NO_DIGITS)


_NO_DIGITS = str.maketrans("", "", "0123456789")


def _tell_if_held_up(instance: Instance, ending: UpstreamEnding, job: Job, now: datetime) -> None:
    """Write one event with Novita's answer when the ending is HELD_UP_AFTER old."""
    is_of_a_pause = ending.held_up_at is None and instance.reason_code == _HELD_UP
    if is_of_a_pause:
        instance.reason_code = instance.reason_message = ""
        instance.save(update_fields=["reason_code", "reason_message"])
    is_early = now - ending.created_at < HELD_UP_AFTER
    if ending.held_up_at is not None or not ending.last_error or is_early:
        return
    ending.held_up_at = now
    message = f"Its termination takes long: {ending.last_error}"
    if instance.status == InstanceStatus.TERMINATING and not instance.reason_code:
        instance.reason_code = _HELD_UP
        instance.reason_message = message
    data = {"novitaInstanceId": ending.upstream_id, "message": message}
    cause = cause_of(job, message)
    record_event(instance, "instance.ending_held_up", cause=cause, now=now, data=data, is_told=True)


# Cost


def _note(
    instance: Instance, ending: UpstreamEnding, attempt: DeleteAttempt, now: datetime
) -> None:
    """Update the charged period by the last observation.

    Novita stops charging when it accepts a delete, but charges for a GPU that it then still shows
    as running. Each run that saw the GPU sent a delete: if it is leaving, the charge ended at that
    run, even if the answer was lost.
    """
    seen = attempt.seen
    if seen is not None:
        ending.upstream_status = seen.status[:40]
    if instance.upstream_id != ending.upstream_id:
        return
    is_gone = attempt.evidence == Evidence.SAID_GONE
    is_leaving = is_gone or (seen is not None and seen.is_leaving_word)
    if is_leaving and ending.looks:
        charges.close(instance, instance.upstream_seen_at or now)
    if seen is not None and not is_gone:
        charges.go_on(instance, seen)
        charges.note(instance, seen, now=now)
        instance.upstream_status = seen.status
        instance.upstream_seen_at = now
    if is_gone:
        charges.close_unseen(instance, now)
    instance.save()


def _confirmed(instance: Instance, ending: UpstreamEnding, job: Job, now: datetime) -> None:
    """Nothing of it is left at Novita; with the last of its GPUs the instance is terminated."""
    cause = cause_of(job, "absent at Novita: GET by id and the list agree")
    data = {"novitaInstanceId": ending.upstream_id}
    ending.upstream_status = "removed"
    if instance.upstream_id == ending.upstream_id:
        charges.close_unseen(instance, now)
        instance.upstream_gone_at = now
        instance.upstream_status = "removed"
    record_event(instance, "instance.ending_confirmed", cause=cause, now=now, data=data)
    others = instance.endings.filter(confirmed_at=None).exclude(pk=ending.pk)
    is_left = instance.is_holding or instance.has_unconfirmed_create or others.exists()
    if instance.status == InstanceStatus.TERMINATING and not is_left:
        why = reason_of(instance)
        if why is not None and why.code == _HELD_UP:
            why = None
        change_status(instance, InstanceStatus.TERMINATED, cause=cause, now=now, reason=why)
