"""The table of states: the documents show it as the code has it, and health tells each."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from core.clock import database_now
from core.database import probe
from instances.domain.enums import JobType
from instances.models import Installation, ReconcileRun, UpstreamGate
from instances.novita.installation import is_ours
from jobs.models import PausedType, Worker
from novitai.monitoring.conditions import KINDS

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def well(db: None, settings: Any) -> None:
    probe.forget()
    now = database_now()
    Worker.objects.create(name="w:1:1", host="w", pid=1, last_seen_at=now, started_at=now)
    UpstreamGate.objects.create(account=settings.CONFIG.upstream_account)
    is_ours()


def problems(anonymous: Client) -> list[dict[str, Any]]:
    answer = anonymous.get("/health")
    found: list[dict[str, Any]] = answer.json()["problems"]
    assert answer.status_code == (503 if found else 200)
    assert anonymous.get("/readyz").status_code == 200
    return found


def test_the_operations_page_lists_every_state() -> None:
    page = (ROOT / "docs/operations.md").read_text()
    rows = dict(re.findall(r"^\| `([a-z_]+)` \| (.*?) \|", page, re.MULTILINE))
    assert {code: kind.words for code, kind in KINDS.items()}.items() <= rows.items()


def test_nothing_is_told_while_all_is_well(anonymous: Client, well: None) -> None:
    assert problems(anonymous) == []


def test_a_copy_is_told(anonymous: Client, well: None) -> None:
    Installation.objects.update(environment="elsewhere")
    (told,) = problems(anonymous)
    assert told["code"] == "held_back"
    assert "reconcile --accept" in told["message"]


def test_the_mass_guard_is_told_with_its_reason_and_time(anonymous: Client, well: None) -> None:
    Installation.objects.update(braked_at=database_now(), brake_reason="6 of 6 vanished")
    (told,) = problems(anonymous)
    assert (told["code"], "6 of 6 vanished" in told["message"]) == ("braked", True)
    assert told["since"]


@pytest.mark.parametrize("hold", ["key_refused", "edge", "outage", "balance", "quota"])
def test_what_holds_creates_is_told(anonymous: Client, well: None, hold: str) -> None:
    UpstreamGate.objects.update(hold=hold, hold_since=database_now())
    (told,) = problems(anonymous)
    assert told["code"] == f"novita_{hold}"
    assert anonymous.get("/health").json()["services"]["novitaApi"] == "down"


def test_a_limit_of_calls_makes_nothing_ill(anonymous: Client, well: None) -> None:
    UpstreamGate.objects.update(hold="rate", hold_since=database_now())
    assert problems(anonymous) == []


@pytest.mark.parametrize(
    ("type_", "is_told"),
    [
        (JobType.CREATE_INSTANCE, True),
        (JobType.TERMINATE_INSTANCE, True),
        (JobType.RECONCILE, True),
        (JobType.SEND_WEBHOOK, False),
        (JobType.REFRESH_CATALOGUE, False),
    ],
)
def test_a_paused_type_that_makes_or_ends_is_told(
    anonymous: Client, well: None, type_: str, is_told: bool
) -> None:
    PausedType.objects.create(type=type_, paused_by="ada", reason="a test")
    told = problems(anonymous)
    assert [each["code"] for each in told] == (["paused"] if is_told else [])
    assert not told or f"{type_}, by ada: a test." in told[0]["message"]


@pytest.mark.parametrize("minutes", [1, 3, 60])
@pytest.mark.parametrize("has_run", [True, False])
def test_a_late_reconciler_is_told(
    anonymous: Client, well: None, settings: Any, minutes: int, has_run: bool
) -> None:
    settings.CONFIG = settings.CONFIG.model_copy(update={"reconcile_interval": 60.0})
    before = database_now() - timedelta(minutes=minutes)
    Worker.objects.update(started_at=before)
    if has_run:
        ReconcileRun.objects.create(account=settings.CONFIG.upstream_account, is_complete=True)
        ReconcileRun.objects.update(ran_at=before)
    told = [each["code"] for each in problems(anonymous)]
    assert told == (["reconciler_late"] if minutes > 4 else [])


def test_every_state_that_holds_is_told(anonymous: Client, well: None) -> None:
    Worker.objects.all().delete()
    Installation.objects.update(environment="elsewhere", braked_at=database_now())
    UpstreamGate.objects.update(hold="key_refused")
    told = {each["code"] for each in problems(anonymous)}
    assert told == {"no_worker", "held_back", "braked", "novita_key_refused"}
