"""What a pass finds out about one GPU, by what the list and GET by id say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from core.clock import database_now
from instances import reconciliation
from instances.novita.limiter import Permit
from instances.novita.name_signing import NameSigner
from instances.reconciliation.scan import Held, ReconcileWork, Seen
from tests.support.fakes import DOWN, FakeNovita
from tests.support.tables import table
from upstream.errors import InvalidRequest, NovitaError
from upstream.types import InstancePage

pytestmark = pytest.mark.django_db

REFUSED = InvalidRequest("400 INSTANCE_NOT_EXIST", status=400, refuses_the_id=True)


def part(page: InstancePage) -> InstancePage:
    return InstancePage(page.instances, 9)


def empty(page: InstancePage) -> InstancePage:
    return InstancePage((), 0)


@table(
    ("expected", "listed", "by_id", "outcome"),
    ("as expected in the list", "running", "running", DOWN, "running"),
    ("any word will do for what is under way", "", "stopping", DOWN, "stopping"),
    ("another word is read by id", "running", "exited", "exited", "exited by id"),
    ("a list that lags is overruled by id", "running", "exited", "running", "running by id"),
    ("removed is no word to rely on", "", "removed", "running", "running by id"),
    ("another word and no answer", "running", "exited", DOWN, "left"),
    ("not listed, and found by id", "running", None, "running", "running by id, contradicts"),
    ("not listed, and gone by id", "running", None, None, "gone, lacks"),
    ("not listed, and refused by id", "running", None, REFUSED, "refused, lacks"),
    ("not listed, and no answer", "running", None, DOWN, "left"),
    ("listed, and gone by id", "running", "exited", None, "gone, shows"),
    ("an empty list, and gone by id", "running", empty, None, "gone, empty"),
    ("a part of the list, and gone by id", "running", part, None, "gone, part"),
    ("a part of the list, and found by id", "running", part, "running", "running by id"),
    ("no list at all", "running", DOWN, "running", "error"),
)
def test_by_the_list_and_the_look_by_id(
    novita: FakeNovita,
    expected: str,
    listed: str | Callable[[InstancePage], InstancePage] | NovitaError | None,
    by_id: str | NovitaError | None,
    outcome: str,
) -> None:
    novita.put("up-2", status="running")
    shown = novita.put("up-1", status="running")
    if isinstance(by_id, str):
        novita.put("up-1", status=by_id)
    if isinstance(listed, str):
        page = InstancePage((replace(shown, status=listed), novita.instances["up-2"]), 2)
        novita.lists = lambda _: page
    elif isinstance(listed, NovitaError):
        novita.fail("list_instances", listed)
    else:
        novita.unlisted.add("up-1")
        novita.lists = listed or novita.lists
    if by_id is None:
        del novita.instances["up-1"]
    elif isinstance(by_id, NovitaError):
        novita.fail("get_instance", by_id)
    assert told(scan(expected)) == outcome


def scan(expected: str) -> Seen:
    return reconciliation.scan_account(
        ReconcileWork(
            permit=Permit(9),
            pages=1,
            signer=NameSigner("here", "k" * 32),
            held=(Held("up-1", expected),),
            begun_at=database_now(),
        )
    )


def told(seen: Seen) -> str:
    """What a pass saw of up-1, in words."""
    if seen.error:
        return "error"
    if "up-1" not in seen.observations:
        assert seen.left == 1
        return "left"
    observation = seen.observations["up-1"]
    if observation.seen is None:
        word = seen.list_words["up-1"].name.lower()
        return f"{'refused' if observation.is_refused else 'gone'}, {word}"
    by_id = " by id" if observation.has_details else ""
    contradicts = ", contradicts" if seen.contradicting else ""
    return f"{observation.seen.status}{by_id}{contradicts}"
