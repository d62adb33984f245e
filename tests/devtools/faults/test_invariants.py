"""Each promise is kept by honest ledgers and broken by each planted fault."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection

from accounts.models import Project
from core.sealing import unseal
from devtools.faults.invariants import check_all
from devtools.faults.ledger import Ledger, Message, Row, Truth
from devtools.simulator.control import InstanceTruth
from instances.domain.enums import BillingMode
from instances.domain.types import Cause, InstanceRequest
from instances.novita.name_signing import NameSigner
from instances.services import create_instance

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
SIGNER = NameSigner("0a1b2c3d", "ab" * 32)
NAME = SIGNER.name("one", "00" * 10)


def instance(**changes: Any) -> Row:
    return {
        "id": 1,
        "public_id": "inst_1",
        "name": "one",
        "status": "running",
        "sequence": 3,
        "error_code": "",
        "error_message": "",
        "upstream_name": NAME,
        "upstream_id": "up-1",
        "upstream_gone_at": None,
        "webhook_url": "https://receiver.test/hook",
    } | changes


def event(number: int, before: str, after: str, **changes: Any) -> Row:
    return {
        "id": number,
        "instance_id": 1,
        "sequence": number,
        "type": f"instance.{after}",
        "from_status": before,
        "to_status": after,
    } | changes


def delivery(number: int, **changes: Any) -> Row:
    return {
        "id": number,
        "public_id": f"msg_{number}",
        "instance_id": 1,
        "event_id": number,
        "payload": {"instanceId": "inst_1", "sequence": number},
        "status": "delivered",
        "last_error": "",
        "ended_at": NOW.isoformat(),
        "is_enabled": True,
    } | changes


def job(**changes: Any) -> Row:
    return {
        "public_id": "job_1",
        "type": "monitor_instance",
        "subject": "inst_1",
        "status": "completed",
        "run_at": NOW.isoformat(),
        "lease_expires_at": None,
        "error": "",
    } | changes


def made(**changes: Any) -> InstanceTruth:
    known: dict[str, Any] = {
        "id": "up-1",
        "name": NAME,
        "origin": "api",
        "product_id": "prod-a",
        "cluster_id": "us-ca-6",
        "gpu_num": 1,
        "billing_mode": "spot",
        "price_e5_usd": 35_000,
        "status": "running",
        "is_alive": True,
        "created_ms": 1000,
        "first_running_ms": None,
        "removed_ms": None,
        "billed_seconds": 0,
        "cost_e5_usd": 0,
        "raw": {},
    }
    return InstanceTruth(**(known | changes))


def message(number: int, **changes: Any) -> Message:
    body = {"instanceId": "inst_1", "sequence": number}
    return replace(Message(f"msg_{number}", body, is_accepted=True, verified="ok"), **changes)


EVENTS = [
    event(1, "", "creating"),
    event(2, "creating", "starting"),
    event(3, "starting", "running"),
]
LEDGER = Ledger(
    now=NOW,
    signer=SIGNER,
    instances=[instance()],
    events=EVENTS,
    deliveries=[delivery(1), delivery(2), delivery(3)],
    jobs=[job()],
)
TRUTH = Truth([made()], [message(1), message(2), message(3)], accepted=["inst_1"])


def violations(*, truth: Truth = TRUTH, **changes: Any) -> str:
    return "\n".join(check_all(replace(LEDGER, **changes), truth))


def long_ago(**ago: Any) -> str:
    return (NOW - timedelta(**ago)).isoformat()


def test_an_honest_ledger_breaks_no_promise() -> None:
    assert violations() == ""


def test_a_message_that_a_receiver_refused_and_then_got_twice_breaks_no_promise() -> None:
    heard = [message(1, is_accepted=False), message(1), message(1), message(2), message(3)]
    assert violations(truth=replace(TRUTH, messages=heard)) == ""


def test_a_name_may_live_again_after_its_first_life_has_ended() -> None:
    first = made(id="up-0", is_alive=False, created_ms=0, raw={"phases": [[500, "removed"]]})
    assert violations(truth=replace(TRUTH, instances=[first, made()])) == ""


def test_what_others_made_is_none_of_our_business() -> None:
    foreign = [made(id="up-8", name="theirs"), made(id="up-9", origin="control")]
    assert violations(truth=replace(TRUTH, instances=[made(), *foreign])) == ""


@pytest.mark.parametrize(
    ("truths", "words"),
    [
        ([], "is gone upstream"),
        ([made(is_alive=False, status="removed")], "is gone upstream"),
        ([made(), made(id="up-2", created_ms=2000)], "was made twice"),
        ([made(), made(id="up-2", name=SIGNER.name("two", "11" * 10))], "there is no row for it"),
        (
            [made(is_alive=False, removed_ms=3000), made(id="up-2", created_ms=2000)],
            "was made twice",
        ),
    ],
)
def test_i1_fails_on_what_is_lost_doubled_or_left_running(
    truths: list[InstanceTruth], words: str
) -> None:
    found = violations(truth=replace(TRUTH, instances=truths))
    assert "I1" in found
    assert words in found


def test_i1_fails_on_a_gpu_that_runs_although_its_row_has_ended() -> None:
    rows = [instance(status="terminated", upstream_gone_at=NOW.isoformat())]
    assert "I1: up-1" in violations(instances=rows)


def test_i1_fails_on_an_upstream_id_that_two_rows_claim() -> None:
    rows = [instance(), instance(id=2, public_id="inst_2")]
    assert "I1: 2 instances claim up-1" in violations(instances=rows)


@pytest.mark.parametrize("status", ["creating", "starting", "stopping", "terminating", "migrating"])
def test_i2_fails_on_what_does_not_come_to_rest(status: str) -> None:
    assert "I2" in violations(instances=[instance(status=status)])


def test_i2_fails_on_a_failure_without_a_reason() -> None:
    assert "does not say why" in violations(instances=[instance(status="failed")])


def test_i2_fails_on_an_ending_that_stays_open() -> None:
    open_ending = {"upstream_id": "up-1", "confirmed_at": None}
    assert "I2: the ending of up-1" in violations(endings=[open_ending])


@pytest.mark.parametrize(
    "events",
    [
        EVENTS[:2],
        [EVENTS[0], EVENTS[2]],
        [EVENTS[0], EVENTS[1], event(3, "creating", "running")],
        [*EVENTS[:2], event(3, "starting", "running", type="instance.ready")],
        [*EVENTS[:2], event(3, "", "", type="instance.note")],
    ],
)
def test_i3_fails_on_gaps_and_on_arrows_that_do_not_meet(events: list[Row]) -> None:
    assert "I3" in violations(events=events)


@pytest.mark.parametrize(
    ("deliveries", "words"),
    [
        ([delivery(1), delivery(2)], "no message tells of its event 3"),
        ([delivery(1), delivery(2), delivery(3, status="pending")], "msg_3 is still pending"),
        ([delivery(1), delivery(2), delivery(3, status="failed")], "does not say why"),
        (
            [
                delivery(1),
                delivery(2),
                delivery(3, payload={"instanceId": "inst_1"} | {"sequence": 7}),
            ],
            "another number",
        ),
    ],
)
def test_i4_fails_on_what_was_not_told(deliveries: list[Row], words: str) -> None:
    assert words in violations(deliveries=deliveries)


@pytest.mark.parametrize(
    ("messages", "words"),
    [
        ([message(1), message(2)], "no receiver has accepted it"),
        ([message(1), message(2), message(3, is_accepted=False)], "no receiver has accepted it"),
        ([message(2), message(1), message(3)], "out of order"),
        ([message(1), message(2), message(3), message(4)], "which no row tells of"),
        ([message(1), message(2), message(3, verified="forged")], "not validly signed"),
    ],
)
def test_i4_fails_on_what_receivers_did_not_get_right(messages: list[Message], words: str) -> None:
    found = violations(truth=replace(TRUTH, messages=messages))
    assert "I4" in found
    assert words in found


def test_i7_fails_on_an_accepted_id_that_is_forgotten() -> None:
    truth = replace(TRUTH, accepted=["inst_1", "inst_2"])
    assert "I7: inst_2 was accepted and is not there" in violations(truth=truth)


@pytest.mark.parametrize(
    "row",
    [
        job(status="pending", run_at=long_ago(seconds=16)),
        job(status="processing", lease_expires_at=long_ago(seconds=16)),
        job(status="failed", type="terminate_instance"),
    ],
)
def test_i8_fails_on_rows_that_nobody_works_on(row: Row) -> None:
    assert "I8" in violations(jobs=[row])


def test_the_ledger_is_what_the_database_says(project: Project) -> None:
    spec = InstanceRequest(
        name="one",
        product_name="RTX 4090 24GB",
        template_id="212",
        region="US-WEST-01",
        gpu_num=1,
        rootfs_size_gb=60,
        billing_mode=BillingMode.SPOT,
        webhook_url="https://receiver.test/hook",
    )
    created = create_instance(project=project, spec=spec, cause=Cause("key:tests"))
    with connection.cursor() as cursor:
        ledger = Ledger.load(cursor, unseal)
    found = check_all(ledger, Truth([], accepted=[created.instance.public_id]))
    assert [text[:2] for text in found] == ["I2", "I4"]
    assert ledger.jobs[0]["subject"] == created.instance.public_id
