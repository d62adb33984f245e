"""Records trouble that Novita reports of an instance, without ending it.

An error outside a final status, an unknown status word, or a removal without a request here. Shown
as ``statusReason`` while it lasts; events at its beginning, change and end.
"""

import hashlib
import re
from datetime import datetime, timedelta

from django.conf import settings

from core.clock import iso
from instances.domain.enums import InstanceStatus, StatusReason
from instances.domain.types import Cause, Reason
from instances.lifecycle.transitions import record_event
from instances.models import Instance
from upstream.facts import Fact
from upstream.types import UpstreamInstance

# Events about trouble for an instance in a day; texts may differ in every answer.
MOST_TOLD = 5
_DAY = timedelta(days=1)
# Observations that must show an error before it ends a first start.
FEWEST_OBSERVATIONS = 3
# Final words: the error is then the reason of the change of status.
_END_WORDS = frozenset({"exited", "freezing", "removed"})
_ERRORS = (StatusReason.STARTUP_TROUBLE, StatusReason.NOVITA_REPORTS)


def note(instance: Instance, seen: UpstreamInstance, cause: Cause, now: datetime) -> None:
    """Record reported trouble and write events of changes. Saves the row only with an event."""
    if seen.status in _END_WORDS and instance.status != InstanceStatus.STOPPED:
        # Not over: the following change of status gives this reason.
        return
    found = _reported(instance, seen)
    if found is None:
        _end(instance, cause, now)
        return
    is_new = (found.code, found.message) != (instance.trouble_code, instance.trouble_message)
    instance.trouble_since = instance.trouble_since or now
    # An answer without error fields keeps the error, and does not count as confirmation.
    instance.trouble_looks += Fact.STATUS_ERROR in seen.facts
    instance.trouble_code, instance.trouble_message = found.code, found.message
    if is_new:
        _tell(instance, found, cause, now)


def has_lasted(instance: Instance, now: datetime) -> bool:
    """Whether an error was observed often and long enough to end a first start."""
    since = instance.trouble_since
    if instance.trouble_code not in _ERRORS or since is None:
        return False
    limit = timedelta(seconds=settings.CONFIG.startup_trouble_after)
    return instance.trouble_looks >= FEWEST_OBSERVATIONS and now - since >= limit


def _reported(instance: Instance, seen: UpstreamInstance) -> Reason | None:
    """The reported trouble, errors first; facts that the answer lacks stay as they were."""
    if seen.status in _END_WORDS:
        return None
    is_error_kept = Fact.STATUS_ERROR not in seen.facts and instance.trouble_code in _ERRORS
    if is_error_kept:
        return Reason(instance.trouble_code, instance.trouble_message)
    if seen.failure_reason:
        is_starting = instance.status == InstanceStatus.STARTING and not seen.is_running
        code = StatusReason.STARTUP_TROUBLE if is_starting else StatusReason.NOVITA_REPORTS
        return Reason(code, f"Novita: {seen.failure_reason}"[:300])
    if Fact.STATUS not in seen.facts:
        kept = bool(instance.trouble_code) and instance.trouble_code not in _ERRORS
        return Reason(instance.trouble_code, instance.trouble_message) if kept else None
    if not seen.is_known_status:
        message = (
            f"Novita shows it as {seen.status[:100]!r}, a status that this service does not know."
        )
        return Reason(StatusReason.UNKNOWN_STATUS, message)
    if seen.is_leaving_word:
        message = f"Novita shows it as {seen.status}; this service did not ask for its removal."
        return Reason(StatusReason.LEAVING, message)
    return None


def _tell(instance: Instance, found: Reason, cause: Cause, now: datetime) -> None:
    digest = hashlib.sha256(re.sub(r"\d+", "#", found.message).encode()).hexdigest()[:12]
    told = instance.trouble_told
    if not told or datetime.fromisoformat(told["since"]) <= now - _DAY:
        told = {"since": iso(now), "digests": []}
    if digest in told["digests"] or len(told["digests"]) >= MOST_TOLD:
        return
    instance.trouble_told = {**told, "digests": [*told["digests"], digest], "isOpen": True}
    _record(instance, "instance.trouble", found, cause, now)


def _end(instance: Instance, cause: Cause, now: datetime) -> None:
    if not instance.trouble_code:
        return
    over = Reason(instance.trouble_code, instance.trouble_message)
    instance.trouble_code = instance.trouble_message = ""
    instance.trouble_since, instance.trouble_looks = None, 0
    if instance.trouble_told.get("isOpen"):
        instance.trouble_told = {**instance.trouble_told, "isOpen": False}
        _record(instance, "instance.trouble_over", over, cause, now)


def _record(instance: Instance, type_: str, reason: Reason, cause: Cause, now: datetime) -> None:
    because = Cause(cause.actor, reason.message, cause.request_id, cause.job_id)
    data = {"code": str(reason.code), "message": reason.message}
    record_event(instance, type_, cause=because, now=now, data=data, is_told=True)
