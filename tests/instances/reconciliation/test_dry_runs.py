"""Dry runs, copies of an installation, and the command."""

from __future__ import annotations

import pytest
from django.core.management import CommandError, call_command

from accounts.models import Project
from instances.models import Installation, Instance, Orphan, ReconcileRun
from instances.novita import installation
from jobs.models import Job
from tests.instances.conftest import Configure
from tests.instances.handlers.conftest import Service
from tests.instances.reconciliation.conftest import kinds, reconcile, run_one, signed_name
from tests.support.fakes import FakeNovita

pytestmark = pytest.mark.django_db


def test_a_dry_run_shows_what_it_would_do_and_does_nothing(
    novita: FakeNovita, running: Instance, configure: Configure
) -> None:
    configure(orphan_grace=0)
    novita.put("lost-1", name=signed_name(), status="running")
    novita.put("up-1", status="exited")
    jobs = Job.objects.count()
    assert kinds(reconcile(is_dry=True)) == ["followed", "orphan_ended"]
    running.refresh_from_db()
    assert running.status == "running"
    assert (Job.objects.count(), Orphan.objects.count(), ReconcileRun.objects.count()) == (
        *(jobs, 0, 0),
    )
    assert kinds(reconcile()) == ["followed", "orphan_ended"]


def test_a_restored_copy_only_reports_until_it_is_accepted(
    novita: FakeNovita, configure: Configure
) -> None:
    configure(orphan_grace=0)
    novita.put("lost-1", name=signed_name(), status="running")
    assert installation.is_ours()
    Installation.objects.update(environment="where-the-original-lives")
    assert kinds(reconcile()) == ["orphan_ended"]
    assert Instance.objects.count() == 0
    assert "--accept" in ReconcileRun.objects.first().note
    installation.accept()
    reconcile()
    assert Instance.objects.get().status == "terminating"


def test_the_command_prints_what_it_would_do(
    novita: FakeNovita, configure: Configure, capsys: pytest.CaptureFixture[str]
) -> None:
    configure(orphan_grace=0, novita_api_key=_Key())
    novita.put("lost-1", name=signed_name(), status="running")
    call_command("reconcile", "--dry-run")
    assert "would be orphan_ended: lost-1" in capsys.readouterr().out
    assert Instance.objects.count() == 0
    call_command("reconcile")
    assert "orphan_ended: lost-1" in capsys.readouterr().out
    assert Instance.objects.get().status == "terminating"
    call_command("reconcile")
    assert "No differences." in capsys.readouterr().out


def test_the_command_accepts_a_moved_database(novita: FakeNovita, configure: Configure) -> None:
    configure(novita_api_key=_Key())
    installation.is_ours()
    Installation.objects.update(environment="elsewhere")
    assert not installation.is_ours()
    call_command("reconcile", "--accept")
    assert installation.is_ours()


def test_accepting_cannot_be_tried_out(novita: FakeNovita) -> None:
    with pytest.raises(CommandError, match="cannot be combined"):
        call_command("reconcile", "--dry-run", "--accept")


def test_the_recurring_job_goes_on(service: Service, novita: FakeNovita) -> None:
    from jobs import queue

    run_one(service, novita)
    queue.ensure_recurring()
    service.run("reconcile")
    job = Job.objects.get(type="reconcile")
    assert (job.status, ReconcileRun.objects.count()) == ("pending", 1)


def test_only_a_thousand_records_are_kept(novita: FakeNovita, project: Project) -> None:
    ReconcileRun.objects.bulk_create(ReconcileRun(account="a") for _ in range(1_005))
    reconcile()
    assert ReconcileRun.objects.count() == 1_000


class _Key:
    """A key that reads as the other, unset one: the account must stay the same."""

    def get_secret_value(self) -> str:
        return ""

    def __bool__(self) -> bool:
        return True
