"""The promises of the service; each function returns the violations of one, found in the ledgers.

Call them when the settle time has passed since the last fault: until then the service may be in
doubt, afterwards never. An empty list means kept; each violation is a sentence that names the row.
The numbers are those of docs/reliability.md.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import pairwise

from devtools.faults.decisions import check_decisions
from devtools.faults.ledger import Ledger, Message, Row, Truth, describe, end_ms, is_ours
from devtools.simulator.control import InstanceTruth

__all__ = ["Ledger", "Message", "Truth", "check_all"]

# Time that a row may be late after its lease or its due time.
LATE = timedelta(seconds=15)
FINAL_STATUSES = frozenset({"running", "stopped", "failed", "terminated"})


def check_all(ledger: Ledger, truth: Truth) -> list[str]:
    """Every violation of every promise, each with its number in front."""
    checks = {
        "I1": check_upstream(ledger, truth),
        "I2": check_endings(ledger),
        "I3": check_events(ledger),
        "I4": check_webhooks(ledger, truth),
        "I7": check_accepted(ledger, truth),
        "I8": check_queue(ledger),
        "I9": check_decisions(ledger, truth),
    }
    return [f"{number}: {text}" for number, found in checks.items() for text in found]


def check_upstream(ledger: Ledger, truth: Truth) -> list[str]:
    """I1: the GPUs that exist are those that our rows hold; none is lost, none doubled."""
    ours = [each for each in truth.instances if is_ours(each, ledger)]
    return [
        *_left_running(ledger, ours),
        *_lost(ledger, truth),
        *_doubled(ours),
        *_shared_ids(ledger),
        *_ended_too_early(ledger, truth, ours),
    ]


def _left_running(ledger: Ledger, ours: Sequence[InstanceTruth]) -> Iterator[str]:
    held = ledger.held()
    rows = {row["upstream_name"]: row for row in ledger.instances if row["upstream_name"]}
    for made in ours:
        if made.is_alive and made.id not in held:
            row = rows.get(made.name)
            whose = f"the row is {describe(row)}" if row else "there is no row for it"
            yield f"{made.id} {made.name} runs ({made.status}) and no row holds it: {whose}"


def _lost(ledger: Ledger, truth: Truth) -> Iterator[str]:
    alive = {made.id: made for made in truth.instances if made.is_alive}
    for upstream_id, whose in ledger.held().items():
        if upstream_id not in alive:
            yield f"{whose} is held as alive, but {upstream_id} is gone upstream"


def _doubled(ours: Sequence[InstanceTruth]) -> Iterator[str]:
    """GPUs of one name whose lives overlap, even if one of them has ended."""
    lives: dict[str, list[InstanceTruth]] = defaultdict(list)
    for made in sorted(ours, key=lambda made: made.created_ms):
        lives[made.name].append(made)
    for name, lived in lives.items():
        for first, second in pairwise(lived):
            ended_ms = end_ms(first)
            if ended_ms is None or ended_ms > second.created_ms:
                yield f"{name} was made twice: {first.id} lived when {second.id} was made"


def _ended_too_early(ledger: Ledger, truth: Truth, ours: Sequence[InstanceTruth]) -> Iterator[str]:
    """When an end was told, the GPU must have ended, as far as Novita showed it."""
    made = {each.id: each for each in ours}
    for event in ledger.events:
        if event["type"] != "instance.ending_confirmed":
            continue
        gpu = made.get(event["data"]["novitaInstanceId"])
        if gpu is None:
            continue
        ended_ms = end_ms(gpu)
        told_ms = datetime.fromisoformat(event["occurred_at"]).timestamp() * 1000
        is_early = ended_ms is None or ended_ms > told_ms
        if is_early and not truth.is_blind_at(told_ms):
            yield f"the end of {gpu.id} was told while it lived"


def _shared_ids(ledger: Ledger) -> Iterator[str]:
    counts = Counter(row["upstream_id"] for row in ledger.instances if row["upstream_id"])
    for upstream_id, count in counts.items():
        if count > 1:
            yield f"{count} instances claim {upstream_id}"


def check_endings(ledger: Ledger) -> list[str]:
    """I2: everything accepted has reached a final or stable status, and failures have a reason."""
    # A status that Novita itself never changes is reported as stuck, and waits for its owner.
    stuck = [
        row
        for row in ledger.instances
        if row["status"] not in FINAL_STATUSES and row.get("reason_code") != "STUCK"
    ]
    unsaid = [
        row
        for row in ledger.instances
        if row["status"] == "failed" and not (row["error_code"] and row["error_message"])
    ]
    open_endings = [row["upstream_id"] for row in ledger.endings if not row["confirmed_at"]]
    return [
        *(f"{describe(row)} has not come to rest" for row in stuck),
        *(f"{describe(row)} does not say why" for row in unsaid),
        *(f"the ending of {upstream_id} is still open" for upstream_id in open_endings),
    ]


def check_events(ledger: Ledger) -> list[str]:
    """I3: events are numbered without gaps, and their transitions lead to the row's status."""
    events = ledger.events_of()
    return [text for row in ledger.instances for text in _history(row, events.get(row["id"], []))]


def _history(row: Row, events: Sequence[Row]) -> Iterator[str]:
    numbers = [event["sequence"] for event in events]
    if numbers != list(range(1, len(events) + 1)) or row["sequence"] != len(events):
        yield f"{describe(row)} has the events {numbers}, its row counts {row['sequence']}"
    status = ""
    for event in (event for event in events if event["to_status"]):
        if event["from_status"] != status:
            yield (
                f"{describe(row)}: event {event['sequence']} leads from"
                f" {event['from_status']!r}, but it was {status!r}"
            )
        if event["type"] != f"instance.{event['to_status']}":
            yield f"{describe(row)}: event {event['sequence']} is a {event['type']}"
        status = event["to_status"]
    if status != row["status"]:
        yield f"{describe(row)}: its events end in {status!r}"


def check_webhooks(ledger: Ledger, truth: Truth) -> list[str]:
    """I4: each change was told at least once, in order and signed, or its message has failed."""
    accepted: dict[str, int] = {}
    for place, message in enumerate(truth.messages):
        if message.is_accepted:
            accepted.setdefault(message.message_id, place)
    deliveries, events = ledger.deliveries_of(), ledger.events_of()
    told = [row for row in ledger.instances if row["webhook_url"]]
    return [
        *(text for row in told for text in _told(row, events.get(row["id"], []), deliveries)),
        *(text for row in deliveries.values() for text in _arrived(row, accepted)),
        *_strange(ledger, truth),
    ]


def _told(row: Row, events: Sequence[Row], deliveries: dict[int, list[Row]]) -> Iterator[str]:
    rows = deliveries.get(row["id"], [])
    if any(not delivery["is_enabled"] for delivery in rows):
        return  # Its receiver said that it is gone; a replay can bring the rest.
    have = {delivery["event_id"] for delivery in rows}
    for event in events:
        if event["to_status"] and event["id"] not in have:
            yield f"{describe(row)}: no message tells of its event {event['sequence']}"


def _arrived(deliveries: Sequence[Row], accepted: dict[str, int]) -> Iterator[str]:
    places: list[int] = []
    for delivery in deliveries:
        name, place = delivery["public_id"], accepted.get(delivery["public_id"])
        if delivery["status"] == "pending" and delivery["is_enabled"]:
            yield f"{name} is still pending"
        elif delivery["status"] == "failed" and not (
            delivery["last_error"] and delivery["ended_at"]
        ):
            yield f"{name} failed and does not say why"
        elif delivery["status"] == "delivered" and place is None:
            yield f"{name} is called delivered, but no receiver has accepted it"
        elif delivery["status"] == "delivered" and place is not None:
            places.append(place)
    if places != sorted(places):
        yield f"{deliveries[0]['payload']['instanceId']} was told out of order: {places}"


def _strange(ledger: Ledger, truth: Truth) -> Iterator[str]:
    """Received messages equal their rows: none about something that did not happen, none forged."""
    known = {row["public_id"]: row["payload"] for row in ledger.deliveries}
    numbers = {row["id"]: row["sequence"] for row in ledger.events}
    for delivery in ledger.deliveries:
        if delivery["payload"]["sequence"] != numbers.get(delivery["event_id"]):
            yield f"{delivery['public_id']} carries another number than its event"
    for message in truth.messages:
        if message.body != known.get(message.message_id):
            yield f"a receiver got {message.message_id or 'a message'}, which no row tells of"
        if message.verified not in (None, "ok"):
            yield f"{message.message_id} is not validly signed: {message.verified}"


def check_accepted(ledger: Ledger, truth: Truth) -> list[str]:
    """I7: every accepted instance exists."""
    known = {row["public_id"] for row in ledger.instances}
    return [f"{each} was accepted and is not there" for each in truth.accepted if each not in known]


def check_queue(ledger: Ledger) -> list[str]:
    """I8: no due job waits, no lease lapsed long ago, and no termination was given up."""
    found = []
    for job in ledger.jobs:
        what = f"{job['type']} {job['public_id']} of {job['subject'] or 'nothing'}"
        if job["status"] == "pending" and _moment(job["run_at"]) < ledger.now - LATE:
            found.append(f"{what} is due since {job['run_at']} (now {ledger.now})")
        if job["status"] == "processing" and _moment(job["lease_expires_at"]) < ledger.now - LATE:
            found.append(f"{what} has a lease that lapsed at {job['lease_expires_at']}")
        if job["status"] == "failed" and job["type"] == "terminate_instance":
            found.append(f"{what} gave up: {job['error']}")
    return found


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
