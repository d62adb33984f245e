"""Findings are counted and logged when they begin, change and end, not once per pass."""

from __future__ import annotations

import pytest

from instances.models import OpenFinding, Tally
from tests.instances.handlers.conftest import Service
from tests.instances.reconciliation.conftest import kinds, reconcile, run_one, signed_name
from tests.support.fakes import DOWN, FakeNovita

pytestmark = pytest.mark.django_db


def counted(kind: str) -> int:
    found = Tally.objects.filter(name="reconcile_findings_total", labels={"kind": kind}).first()
    return int(found.value) if found else 0


def test_two_orphans_for_ten_passes_are_two(novita: FakeNovita) -> None:
    for number in range(2):
        reference = f"{number}" * 20
        novita.put(f"lost-{number}", name=signed_name(reference), status="running")
    for _ in range(10):
        assert kinds(reconcile()) == ["orphan", "orphan"]
    assert (counted("orphan"), OpenFinding.objects.count()) == (2, 2)
    del novita.instances["lost-0"]
    reconcile()
    assert OpenFinding.objects.get().upstream_id == "lost-1"
    novita.put("lost-0", name=signed_name("0" * 20), status="running")
    reconcile()
    assert counted("orphan") == 3


@pytest.mark.parametrize("kind", ["vanished", "brake", "contradiction", "unknown_word"])
def test_what_stands_is_counted_once(service: Service, novita: FakeNovita, kind: str) -> None:
    rows = [run_one(service, novita, name=f"n{n}") for n in range(3 if kind == "brake" else 1)]
    for row in rows:
        if kind == "contradiction":
            novita.unlisted.add(row.upstream_id)
        elif kind == "unknown_word":
            novita.put(row.upstream_id, status="hibernating")
        else:
            del novita.instances[row.upstream_id]
    for _ in range(3):
        assert kind in kinds(reconcile())
    assert counted(kind) == 1


def test_an_outage_ends_no_finding(novita: FakeNovita) -> None:
    novita.put("lost-1", name=signed_name(), status="running")
    reconcile()
    novita.fail("list_instances", DOWN)
    reconcile()
    assert OpenFinding.objects.filter(kind="orphan").count() == 1
