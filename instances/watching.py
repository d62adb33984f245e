"""What a look at Novita means for an instance."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from instances.choices import FailureCode, InstanceStatus
from instances.ending import begin_ending
from instances.models import Instance
from instances.novita.types import PortMapping, UpstreamInstance
from instances.schedule import next_look
from instances.subjects import cause_of
from instances.transitions import change_status, fail
from instances.types import Failure
from jobs.models import Job
from jobs.outcomes import Again, Done, Outcome

# Charging begins with the pull of the image (Novita's billing guide).
BILLED_WORDS = frozenset({"pulling", "running", "starting", "restarting"})
BETWEEN_ABSENCES = timedelta(seconds=10)
# What nobody could look at when its deadline passed may be running: an outage must not end it
# unseen. Bounded, since nothing may be billed for long that nobody watches.
UNSEEN_GRACE = timedelta(minutes=2)
NOTED = (
    *("upstream_status", "started_at", "absence_seen_at"),
    *("port_mappings", "connection", "has_details"),
)
SSH_PORT = 22
_SSH_COMMAND = re.compile(r"ssh(?:\s+-p\s*(?P<port>\d+))?\s+(?P<target>[\w.@:-]+)")
_HOST_AND_PORT = re.compile(r"[\w.@-]+:\d+")
JUPYTER_PORT = 8888


@dataclass(frozen=True, slots=True)
class Sighting:
    """What one look showed; ``seen`` is None when a direct look found nothing."""

    seen: UpstreamInstance | None
    has_details: bool = False

    @property
    def is_of_a_running_instance(self) -> bool:
        return self.seen is not None and self.seen.is_running


@dataclass(frozen=True, slots=True)
class Look:
    """What comes next, and whether what was noted is still to be saved."""

    outcome: Outcome
    is_to_be_saved: bool = False


def is_watched(instance: Instance) -> bool:
    """Pending, or running but never read by itself."""
    if instance.status == InstanceStatus.RUNNING:
        return not instance.has_details
    return instance.status == InstanceStatus.STARTING


def observe(
    instance: Instance,
    sighting: Sighting | None,
    *,
    job: Job,
    now: datetime,
    next_at: datetime | None = None,
    is_last_resort: bool = False,
) -> Look:
    """Note what was seen and decide what comes next. The instance is locked.

    A change of status is written at once; mere notes are left to ``save_notes``, for all at once.
    ``next_at``: the next look, if the poll interval alone does not say it. ``is_last_resort``: a
    listing showed it running, and this look was to bring the connect blocks; if it did not, the
    instance is announced without them and read again later.
    """
    if not is_watched(instance):
        return Look(Done())
    before = _noted(instance)
    if sighting is not None:
        failure = _take_note(instance, sighting, now)
        if failure is not None and instance.status == InstanceStatus.STARTING:
            return Look(_fail(instance, failure, job=job, now=now))
        if failure is not None and _is_gone(sighting):
            # No connect blocks will ever come: asking on would use up everybody's calls.
            return Look(Done(), is_to_be_saved=True)
    if _is_ready(instance, is_last_resort=is_last_resort and sighting is None):
        return Look(_arrive(instance, job=job, now=now))
    has_just_arrived = sighting is not None and sighting.is_of_a_running_instance
    grace = timedelta(0) if sighting is not None else UNSEEN_GRACE
    if _is_late(instance, now - grace) and not has_just_arrived:
        return Look(_fail(instance, _timeout(instance), job=job, now=now))
    outcome = Again() if has_just_arrived else Again(at=next_at or next_look(now))
    return Look(outcome, is_to_be_saved=_noted(instance) != before)


def _is_gone(sighting: Sighting) -> bool:
    return sighting.seen is None or sighting.seen.is_gone_word


def save_notes(changed: Sequence[Instance], seen: Sequence[Instance], *, now: datetime) -> None:
    """Two statements for a whole listing, however many instances it showed."""
    if changed:
        _save_noted(changed)
    Instance.objects.filter(pk__in=[instance.pk for instance in seen]).update(upstream_seen_at=now)


# By hand: Django's bulk_update builds a CASE for every row and field, which took longer than all
# else when two hundred instances came to run at once.
_SAVE_NOTED = """
UPDATE instances_instance i SET
    upstream_status = n.upstream_status, started_at = n.started_at,
    absence_seen_at = n.absence_seen_at, port_mappings = n.port_mappings,
    connection = n.connection, has_details = n.has_details
FROM unnest(
    %s::bigint[], %s::text[], %s::timestamptz[], %s::timestamptz[], %s::jsonb[], %s::jsonb[],
    %s::boolean[]
) AS n(
    id, upstream_status, started_at, absence_seen_at, port_mappings, connection, has_details
)
WHERE i.id = n.id
"""


def _save_noted(changed: Sequence[Instance]) -> None:
    rows = [
        (
            instance.pk,
            instance.upstream_status,
            instance.started_at,
            instance.absence_seen_at,
            json.dumps(instance.port_mappings),
            json.dumps(instance.connection),
            instance.has_details,
        )
        for instance in changed
    ]
    with connection.cursor() as cursor:
        cursor.execute(_SAVE_NOTED, [list(column) for column in zip(*rows, strict=True)])


def _noted(instance: Instance) -> tuple[object, ...]:
    """What a look may change; most looks change nothing, and then nothing is written."""
    return tuple(getattr(instance, name) for name in NOTED)


def _take_note(instance: Instance, sighting: Sighting, now: datetime) -> Failure | None:
    """Copy what was seen; return why the instance can never run, if that is what was seen."""
    seen = sighting.seen
    if seen is None or _is_gone(sighting):
        return _absence(instance, now)
    instance.absence_seen_at = None
    instance.upstream_status = seen.status
    if instance.started_at is None and seen.status in BILLED_WORDS:
        instance.started_at = seen.last_started_at or now
    if seen.is_running:
        instance.port_mappings = [_port(mapping) for mapping in seen.port_mappings]
        instance.connection = _connection(seen)
        instance.has_details = instance.has_details or sighting.has_details
        return None
    if seen.failure_reason:
        return Failure(FailureCode.STARTUP_FAILED, f"Novita: {seen.failure_reason}")
    if seen.is_stopped or seen.is_leaving_word:
        message = f"Novita shows it as {seen.status} before it ever ran."
        return Failure(FailureCode.STARTUP_FAILED, message)
    return None


def _absence(instance: Instance, now: datetime) -> Failure | None:
    """Gone only when two direct looks some time apart find nothing."""
    if instance.absence_seen_at is None:
        instance.absence_seen_at = now
        return None
    if now - instance.absence_seen_at < BETWEEN_ABSENCES:
        return None
    return Failure(FailureCode.STARTUP_FAILED, "It disappeared at Novita before it ever ran.")


def _is_ready(instance: Instance, *, is_last_resort: bool) -> bool:
    return instance.upstream_status == "running" and (instance.has_details or is_last_resort)


def _arrive(instance: Instance, *, job: Job, now: datetime) -> Outcome:
    if instance.status == InstanceStatus.STARTING:
        instance.ready_at = now
        data = {"upstreamStatus": instance.upstream_status}
        cause = cause_of(job, "Novita shows it running")
        change_status(instance, InstanceStatus.RUNNING, cause=cause, now=now, data=data)
    else:
        instance.save()
    return Done() if instance.has_details else Again(at=next_look(now))


def _is_late(instance: Instance, now: datetime) -> bool:
    deadline = instance.start_deadline_at
    return instance.status == InstanceStatus.STARTING and deadline is not None and deadline <= now


def _timeout(instance: Instance) -> Failure:
    limit = (instance.start_deadline_at or instance.created_at) - instance.created_at
    last = instance.upstream_status or "nothing"
    message = f"Not running after {limit.total_seconds():.0f} s; Novita last said {last}."
    return Failure(FailureCode.STARTUP_TIMEOUT, message)


def fail_unwatched(instance: Instance, error: str, *, job: Job, now: datetime) -> None:
    """The watch itself failed for good: end what nobody would look at any more."""
    failure = Failure(FailureCode.INTERNAL_ERROR, f"Watching failed for good: {error[:500]}")
    _fail(instance, failure, job=job, now=now)


def _fail(instance: Instance, failure: Failure, *, job: Job, now: datetime) -> Outcome:
    """Failed, and its GPU ended: nobody pays for a GPU that nobody watches."""
    fail(instance, failure, cause=cause_of(job, failure.message), now=now)
    cause = cause_of(job, f"ended after {failure.code}")
    begin_ending(instance, instance.upstream_id, cause=cause, now=now)
    return Done()


def _port(mapping: PortMapping) -> dict[str, Any]:
    return {"port": mapping.port, "endpoint": mapping.address, "type": mapping.type}


def _connection(seen: UpstreamInstance) -> dict[str, str]:
    """The connect blocks, or what the ports tell while those are not read. Never a secret: an
    address may carry an access token in its query, which is cut off.
    """
    by_port = {mapping.port: mapping.address for mapping in seen.port_mappings}
    found = {
        "ssh": _ssh_url(seen.ssh_command or by_port.get(SSH_PORT, "")),
        "jupyter": _without_query(seen.jupyter_url or by_port.get(JUPYTER_PORT, "")),
        "webTerminal": _without_query(seen.web_terminal_url),
    }
    return {name: address for name, address in found.items() if address}


def _ssh_url(text: str) -> str:
    """``ssh -p 32787 root@host`` and ``host:32787`` become ``ssh://…``, the form of this API."""
    command = _SSH_COMMAND.fullmatch(text.strip())
    if command is not None:
        return f"ssh://{command['target']}:{command['port'] or SSH_PORT}"
    return f"ssh://{text}" if _HOST_AND_PORT.fullmatch(text) else text


def _without_query(address: str) -> str:
    return re.split(r"[?#]", address, maxsplit=1)[0]
