"""The application against its own schema: generated requests, hostile ones and sequences.

``SCHEMATHESIS_SEED`` and ``SCHEMATHESIS_EXAMPLES`` look further than the suite does.
"""

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import schemathesis
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import Status, from_schema
from schemathesis.engine.events import (
    EngineFinished,
    FatalError,
    NonFatalError,
    ScenarioFinished,
)
from schemathesis.schemas import BaseSchema

from accounts.models import Project
from accounts.scopes import Scope
from accounts.services import create_api_key
from instances.api import waiting
from instances.models import Instance
from instances.streaming.subscribers import Wait, WaitEnd
from jobs.models import Job, Worker
from tests.contract.documents import document

EXAMPLES = int(os.environ.get("SCHEMATHESIS_EXAMPLES", "8"))
_LEFT_OUT = ("cursor", "If-Match", "If-None-Match")
SEED = int(os.environ.get("SCHEMATHESIS_SEED", "5"))


def config_for(url: str, key: str) -> SchemathesisConfig:
    """Every check there is but one, in every phase there is."""
    return SchemathesisConfig.from_dict(
        {
            "seed": SEED,
            "base-url": url,
            "workers": 1,
            "headers": {"Authorization": f"Bearer {key}"},
            # DELETE is answered with 202 before it is done, and what has ended can still be read.
            "checks": {
                "use_after_free": {"enabled": False},
            },
            "generation": {"max-examples": EXAMPLES, "database": "none"},
        }
    )


def schema_for(url: str, key: str) -> BaseSchema:
    told = document()
    for operation in (o for item in told["paths"].values() for o in item.values()):
        # A well-formed one that no page has given is refused, as it should be.
        # Conditions: one of its phases sends 0, whatever the pattern says; test_update has them.
        kept = [p for p in operation.get("parameters", ()) if p["name"] not in _LEFT_OUT]
        operation["parameters"] = kept
    # No work is done here, so that it may say 503, which is right (test_health.py).
    del told["paths"]["/health"]
    # It waits for a worker, and there is none.
    del told["paths"]["/api/webhooks/{id}/test"]
    # A stream has no end.
    del told["paths"]["/api/events/stream"]
    return schemathesis.openapi.from_dict(told, config=config_for(url, key))


def problems_of(schema: BaseSchema) -> Iterator[str]:
    for event in from_schema(schema).execute():
        if isinstance(event, ScenarioFinished):
            yield from failed_checks(event)
        elif isinstance(event, NonFatalError):
            yield f"{event.label}: {event.value!r}"
        elif isinstance(event, FatalError):
            raise event.exception
        elif isinstance(event, EngineFinished):
            yield from (f"{failure.operation}: {failure.title}" for failure in event.failures)


def failed_checks(event: ScenarioFinished) -> Iterator[str]:
    for case_id, checks in event.recorder.checks.items():
        for check in checks:
            if check.status == Status.FAILURE and check.failure_info:
                failure = check.failure_info.failure
                answer = event.recorder.interactions[case_id].response
                yield (
                    f"{failure.title}: {failure.message}\n{check.failure_info.code_sample}\n"
                    f"{answer and answer.text[:500]}"
                )


@pytest.fixture
def living_worker(db: None) -> Worker:
    """Somebody who would do the work, so that the service calls itself healthy."""
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    return Worker.objects.create(name="here:1:1", host="here", pid=1, last_seen_at=tomorrow)


@pytest.fixture
def no_time_to_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wait is answered at once, as if its time were up."""
    is_over = waiting._is_over

    def end(wait: Wait, *about: Any) -> bool:
        if not is_over(wait, *about):
            wait.end = WaitEnd.TIMEOUT
        return True

    monkeypatch.setattr(waiting, "_is_over", end)


# What hypothesis says of a generated request that is long to print.
@pytest.mark.long
@pytest.mark.filterwarnings("ignore:Generating overly large repr")
def test_every_answer_is_what_the_schema_says(
    served: str,
    project: Project,
    other_project: Project,
    living_worker: Worker,
    no_time_to_wait: None,
) -> None:
    # Not admin: it would find its own id and revoke itself.
    scopes = [Scope.READ, Scope.WRITE, Scope.CREDENTIALS]
    key = create_api_key(project=project, name="generated", scopes=scopes, rate_limit=0)
    problems = dict.fromkeys(problems_of(schema_for(served, key)))
    assert not problems, f"{len(problems)} problems\n\n" + "\n\n".join(problems)
    # It got somewhere, and nowhere else.
    assert Instance.objects.filter(project=project, status="terminated").exists()
    assert Job.objects.filter(project=project).exists()
    assert not Instance.objects.filter(project=other_project).exists()
