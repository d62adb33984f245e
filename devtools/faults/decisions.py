"""I9: no GPU is ended without a request, by Novita's ledger and the callers' own records.

Reasons of the service do not count: if it is wrong about an instance, it is also wrong about the
reason for the end. Valid reasons are requests of callers (an end, a limit, a price), a second GPU
that callers would pay for, and failures that Novita showed before the GPU ever ran.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from devtools.faults.ledger import Delete, Ledger, Row, Truth, describe, end_ms, is_ours
from devtools.simulator.control import InstanceTruth

# Tolerance: our clock and Novita's are compared, in whole seconds.
SLACK_MS = 1_000
# Statuses that mean that a GPU will not run, if shown before a delete was sent.
OVER = frozenset({"stopping", "exited", "freezing", "gone", "removed", "removing", "toRemove"})


def check_decisions(ledger: Ledger, truth: Truth) -> list[str]:
    """Each delete that was sent, received or not, must have a valid reason."""
    made = {each.id: each for each in truth.instances}
    return [
        text
        for delete in truth.deletes
        for text in _evaluate(delete, made.get(delete.upstream_id), ledger, truth)
    ]


def _evaluate(
    delete: Delete, made: InstanceTruth | None, ledger: Ledger, truth: Truth
) -> Iterator[str]:
    if made is None:
        yield f"a delete was sent for {delete.upstream_id or 'nothing'}, which never was"
    elif not is_ours(made, ledger):
        yield f"a delete was sent for {made.id} {made.name}, which is somebody else's"
    elif not _is_wanted(delete, made, ledger, truth):
        row = _row_of(made, ledger)
        whose = describe(row) if row is not None else "no row"
        yield f"a delete was sent for {made.id} of {whose}, and nobody had asked for its end"


def _is_wanted(delete: Delete, made: InstanceTruth, ledger: Ledger, truth: Truth) -> bool:
    row = _row_of(made, ledger)
    if row is None or _was_gone(delete, made) or _is_a_double(delete, made, truth):
        return True
    asked_ms = truth.asked.get(row["public_id"])
    if asked_ms is not None and asked_ms <= delete.at_ms + SLACK_MS:
        return True
    is_never_held = row["upstream_id"] != made.id
    return (
        (is_never_held and row["status"] in ("failed", "terminated"))
        or _is_past_its_time(delete, row)
        or _is_too_dear(made, row)
        or _has_failed_to_start(delete, made, row, ledger, truth)
    )


def _row_of(made: InstanceTruth, ledger: Ledger) -> Row | None:
    """The row that holds it, else the one it was made for."""
    holders = (row for row in ledger.instances if row["upstream_id"] == made.id)
    named = (row for row in ledger.instances if row["upstream_name"] == made.name)
    return next(holders, None) or next(named, None)


def _was_gone(delete: Delete, made: InstanceTruth) -> bool:
    ended_ms = end_ms(made)
    return ended_ms is not None and ended_ms < delete.at_ms - SLACK_MS


def _is_a_double(delete: Delete, made: InstanceTruth, truth: Truth) -> bool:
    """True if another GPU was made under its name: one of the two must end."""
    return any(
        each.id != made.id and each.name == made.name and each.created_ms <= delete.at_ms
        for each in truth.instances
    )


def _is_past_its_time(delete: Delete, row: Row) -> bool:
    minutes = row.get("max_runtime_minutes")
    if not minutes:
        return False
    return bool(delete.at_ms + SLACK_MS >= _ms(row["created_at"]) + minutes * 60_000)


def _is_too_dear(made: InstanceTruth, row: Row) -> bool:
    cap: int | None = row.get("max_price_per_hour_e5_usd")
    return cap is not None and made.price_e5_usd * made.gpu_num > cap


def _has_failed_to_start(
    delete: Delete, made: InstanceTruth, row: Row, ledger: Ledger, truth: Truth
) -> bool:
    """It was called failed before it was told running, because of Novita's status or its duration.
    A GPU that ran behind an edge, unseen, and then stopped has not started for its caller.
    """
    if row.get("on_start_failure") == "keep":
        return False
    failed_ms = _told_ms("instance.failed", row, ledger)
    if failed_ms is None or failed_ms > delete.at_ms + SLACK_MS:
        return False
    if _told_ms("instance.running", row, ledger) is not None:
        return False
    return _shows_failure(made, failed_ms) or _is_late(failed_ms, row, truth)


def _told_ms(event_type: str, row: Row, ledger: Ledger) -> int | None:
    moments = (
        _ms(event["occurred_at"])
        for event in ledger.events
        if event["instance_id"] == row["id"] and event["type"] == event_type
    )
    return next(moments, None)


def _shows_failure(made: InstanceTruth, failed_ms: int) -> bool:
    phases = made.raw.get("phases", ())
    is_over = any(word in OVER for at_ms, word in phases if at_ms <= failed_ms + SLACK_MS)
    return is_over or bool(made.raw.get("statusError"))


def _is_late(failed_ms: int, row: Row, truth: Truth) -> bool:
    """``start_seconds``: the shortest time that a start, or one of its statuses, may take."""
    patience_ms = round(truth.start_seconds * 1000)
    return failed_ms + SLACK_MS >= _ms(row["created_at"]) + patience_ms


def _ms(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)
