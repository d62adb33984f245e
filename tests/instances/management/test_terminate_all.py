"""manage.py terminate-all: the button for the shell."""

from __future__ import annotations

import sys
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError
from psycopg.errors import LockNotAvailable

import manage
from accounts.models import Project
from instances.models import Instance
from tests.conftest import MonotonicClock
from tests.instances.admin.conftest import Make, make
from tests.support.refusals import refused_by_postgres

__all__ = ["make"]
pytestmark = pytest.mark.django_db


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("terminate_all", *arguments, stdout=out)
    return out.getvalue()


def test_without_yes_it_says_what_it_would_end_and_ends_nothing(
    project: Project, make: Make
) -> None:
    instance = make("running")
    make("stopped")
    out = StringIO()
    with pytest.raises(CommandError, match="Add --yes") as refused:
        call_command("terminate_all", "--project", "alpha", stdout=out)
    assert refused.value.returncode == 2
    assert f"{instance.public_id}  running     0.70 USD/h  mine" in out.getvalue()
    assert "2 instances of alpha, 0.70 USD an hour" in out.getvalue()
    instance.refresh_from_db()
    assert instance.status == "running"


def test_with_yes_everything_of_the_project_is_ended_and_nothing_of_others(
    other_project: Project, make: Make
) -> None:
    mine = [make("running"), make("stopped"), make("failed"), make("starting")]
    theirs = make("running", of=other_project)
    assert "4 instances are being terminated." in run("--project", "alpha", "--yes")
    for instance in mine:
        instance.refresh_from_db()
        assert instance.status == "terminating"
        assert instance.events.get(to_status="terminating").actor == "operator:manage.py"
    theirs.refresh_from_db()
    assert theirs.status == "running"


def test_run_again_it_has_nothing_to_do(make: Make) -> None:
    make("running")
    run("--project", "alpha", "--yes")
    assert run("--project", "alpha", "--yes") == "No instance of alpha is to be terminated.\n"
    assert run("--project", "alpha") == "No instance of alpha is to be terminated.\n"


def test_an_unknown_project_is_named(db: None) -> None:
    with pytest.raises(CommandError, match="There is no project nope"):
        run("--project", "nope", "--yes")


def test_the_project_is_not_guessed(db: None) -> None:
    with pytest.raises(CommandError, match="--project"):
        run("--yes")


def test_waiting_ends_when_the_last_one_is_terminated(
    make: Make, monotonic: MonotonicClock
) -> None:
    make("running")
    make("running")

    def the_worker_goes_on() -> None:
        pk = Instance.objects.filter(status="terminating").order_by("pk")[0].pk
        gone = Instance.objects.get(pk=pk).created_at
        Instance.objects.filter(pk=pk).update(status="terminated", upstream_gone_at=gone)

    monotonic.meanwhile = the_worker_goes_on
    out = run("--project", "alpha", "--yes", "--wait")
    assert out.endswith("All instances are terminated.\n")


def test_waiting_is_bounded_and_names_what_is_left(make: Make) -> None:
    instance = make("running")
    with pytest.raises(
        CommandError, match=f"1 instances are still terminating.*{instance.public_id}"
    ):
        run("--project", "alpha", "--yes", "--wait", "0")


def test_one_that_cannot_be_locked_does_not_keep_the_others_running(
    make: Make,
) -> None:
    locked, other = make("running"), make("running")
    when = f"NEW.public_id = '{locked.public_id}'"
    held = refused_by_postgres("UPDATE", "instances_instance", when, LockNotAvailable)
    with held, pytest.raises(OperationalError, match="refused"):
        run("--project", "alpha", "--yes")
    locked.refresh_from_db()
    other.refresh_from_db()
    assert (locked.status, other.status) == ("running", "terminating")


@pytest.mark.parametrize(
    ("typed", "run_as"),
    [
        (["manage.py", "terminate-all", "--project", "a-b"], "terminate_all"),
        (["manage.py", "terminate_all", "--project", "a-b"], "terminate_all"),
        (["manage.py", "--no-color"], "--no-color"),
        (["manage.py"], None),
    ],
)
def test_a_command_is_found_with_hyphens_too(
    monkeypatch: pytest.MonkeyPatch, typed: list[str], run_as: str | None
) -> None:
    seen: list[list[str]] = []
    monkeypatch.setattr(sys, "argv", typed)
    monkeypatch.setattr("django.core.management.execute_from_command_line", seen.append)
    manage.main()
    (argv,) = seen
    assert argv[1:2] == ([run_as] if run_as else [])
    assert argv[2:] == typed[2:]
