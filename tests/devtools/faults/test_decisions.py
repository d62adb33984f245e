"""I9: every delete that was sent must follow from a decision; our own reasons do not count."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from devtools.faults.decisions import check_decisions
from devtools.faults.invariants import check_all, check_upstream
from devtools.faults.ledger import Delete, Ledger, Row, Truth
from devtools.simulator.control import InstanceTruth
from instances.novita.name_signing import NameSigner
from tests.devtools.faults.test_invariants import LEDGER, TRUTH, instance, made

SIGNER = NameSigner("0a1b2c3d", "ab" * 32)
START_MS = 1_790_000_000_000


def at(seconds: float) -> int:
    return START_MS + round(seconds * 1000)


def iso(seconds: float) -> str:
    return datetime.fromtimestamp(at(seconds) / 1000, UTC).isoformat()


def row(**changes: Any) -> Row:
    return dict(instance(created_at=iso(0))) | changes


def gpu(**changes: Any) -> InstanceTruth:
    return made(**{"created_ms": at(1), "first_running_ms": at(20), **changes})


def failed(seconds: float) -> list[Row]:
    return [{"instance_id": 1, "type": "instance.failed", "occurred_at": iso(seconds)}]


def found(
    *,
    deleted: float = 100,
    of: str = "up-1",
    rows: list[Row] | None = None,
    events: list[Row] | None = None,
    gpus: list[InstanceTruth] | None = None,
    **truth: Any,
) -> list[str]:
    """What is objected to a delete so many seconds after the beginning."""
    ledger = Ledger(now=LEDGER.now, signer=SIGNER, instances=rows or [row()], events=events or [])
    deletes = [Delete(of, at(deleted))]
    return check_decisions(ledger, Truth(gpus or [gpu()], deletes=deletes, **truth))


def test_a_delete_of_what_runs_and_was_not_asked_for_is_found() -> None:
    (text,) = found()
    assert "up-1 of inst_1" in text
    assert "nobody had asked" in text


def test_it_is_found_whatever_the_service_says_about_itself() -> None:
    gone = row(status="terminated", upstream_gone_at=iso(90), reason_code="DELETED_AT_NOVITA")
    assert found(rows=[gone]) != []
    assert found(rows=[row(status="failed", error_code="STARTUP_FAILED")]) != []


def test_an_end_that_a_caller_asked_for_is_no_violation_from_then_on() -> None:
    assert found(asked={"inst_1": at(99)}) == []
    assert found(asked={"inst_1": at(150)}) != []
    assert found(asked={"inst_2": at(0)}) != []


@pytest.mark.parametrize(("deleted", "is_wanted"), [(125, True), (100, False)])
def test_a_runtime_limit_counts_once_it_is_over(deleted: float, is_wanted: bool) -> None:
    limited = row(max_runtime_minutes=2)
    assert (found(rows=[limited], deleted=deleted) == []) is is_wanted


@pytest.mark.parametrize(("cap", "is_wanted"), [(30_000, True), (35_000, False), (None, False)])
def test_a_price_cap_counts_if_the_price_is_above_it(cap: int | None, is_wanted: bool) -> None:
    assert (found(rows=[row(max_price_per_hour_e5_usd=cap)]) == []) is is_wanted


def test_a_double_may_be_ended_and_so_may_what_no_row_holds() -> None:
    two = [gpu(), gpu(id="up-2", created_ms=at(5))]
    assert found(gpus=two, of="up-2") == []
    assert found(gpus=[gpu(), gpu(id="up-3", name=SIGNER.name("x", "22" * 10))], of="up-3") == []


def test_what_came_too_late_for_its_row_may_be_ended() -> None:
    given_up = row(upstream_id="", status="failed", error_code="UPSTREAM_REJECTED")
    assert found(rows=[given_up]) == []
    assert found(rows=[row(upstream_id="", status="creating")]) != []


def test_what_is_somebody_elses_or_never_was_may_not() -> None:
    assert "somebody else" in found(gpus=[gpu(name="theirs")])[0]
    assert "somebody else" in found(gpus=[gpu(origin="foreign")])[0]
    assert "never was" in found(of="up-9")[0]


def test_what_was_gone_before_harms_nobody() -> None:
    ended = gpu(is_alive=False, removed_ms=at(50))
    assert found(gpus=[ended]) == []
    assert found(gpus=[gpu(is_alive=False, removed_ms=at(101))]) != []


@pytest.mark.parametrize(
    ("raw", "is_wanted"),
    [
        ({"statusError": "failed to pull image"}, True),
        ({"phases": [[START_MS + 2000, "pulling"], [START_MS + 30_000, "exited"]]}, True),
        ({"phases": [[START_MS + 2000, "pulling"], [START_MS + 60_000, "exited"]]}, False),
        ({"phases": [[START_MS + 2000, "pulling"]], "statusError": ""}, False),
    ],
)
def test_a_start_has_failed_if_novita_said_so_before(raw: dict[str, Any], is_wanted: bool) -> None:
    starting = gpu(first_running_ms=None, raw=raw)
    rows = [row(status="failed", error_code="STARTUP_FAILED")]
    text = found(gpus=[starting], rows=rows, events=failed(40), start_seconds=90)
    assert (text == []) is is_wanted


@pytest.mark.parametrize(("failed_after", "is_wanted"), [(91, True), (40, False)])
def test_a_start_has_failed_if_its_time_was_over(failed_after: float, is_wanted: bool) -> None:
    rows = [row(status="failed", error_code="STARTUP_TIMEOUT")]
    for running_ms in (None, at(95)):
        gpus = [gpu(first_running_ms=running_ms)]
        text = found(gpus=gpus, rows=rows, events=failed(failed_after), start_seconds=90)
        assert (text == []) is is_wanted


def test_what_ran_unseen_and_then_stopped_is_a_failed_start_unless_running_was_told() -> None:
    rows = [row(status="failed", error_code="STARTUP_FAILED")]
    stopped = gpu(raw={"phases": [[at(20), "running"], [at(30), "freezing"], [at(31), "exited"]]})
    told = [{"instance_id": 1, "type": "instance.running", "occurred_at": iso(25)}]
    assert found(gpus=[stopped], rows=rows, events=failed(40), start_seconds=90) == []
    assert found(gpus=[stopped], rows=rows, events=[*told, *failed(40)], start_seconds=90) != []


def test_what_failed_and_was_to_be_kept_is_kept() -> None:
    kept = row(status="failed", on_start_failure="keep")
    broken = gpu(first_running_ms=None, raw={"statusError": "no such image"})
    assert found(gpus=[broken], rows=[kept], events=failed(40)) != []
    assert found(gpus=[broken], rows=[kept], events=failed(40), asked={"inst_1": at(50)}) == []


def test_deletes_are_read_from_the_ledger_whether_they_acted_or_not() -> None:
    calls = [
        {"path": "/x/gpu/instance/delete", "instanceId": "up-1", "realMs": 5, "acted": False},
        {"path": "/x/gpu/instance/stop", "instanceId": "up-1", "realMs": 6, "acted": True},
    ]
    assert Delete.all_of(calls) == [Delete("up-1", 5)]
    truth = replace(TRUTH, deletes=[Delete("up-1", START_MS)])
    ledger = replace(LEDGER, instances=[row()])
    assert [text[:3] for text in check_all(ledger, truth)] == ["I9:"]


def test_an_end_may_be_told_while_it_lives_only_if_nobody_could_see_it() -> None:
    told = {
        "instance_id": 1,
        "type": "instance.ending_confirmed",
        "data": {"novitaInstanceId": "up-1"},
        "occurred_at": iso(50),
    }
    ledger = Ledger(now=LEDGER.now, signer=SIGNER, instances=[row()], events=[told])
    for blind, is_kept in (((at(10), at(60)), True), ((at(60), at(90)), False)):
        text = "\n".join(check_upstream(ledger, Truth([gpu()], blind=[blind])))
        assert ("told while it lived" not in text) is is_kept
