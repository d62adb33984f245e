"""Sets up a service for simulation: its settings, network, random numbers and clock."""

from __future__ import annotations

import logging
import random
import secrets
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from random import Random
from typing import Any
from unittest.mock import patch

from django.conf import settings
from django.db import connection
from django.test.utils import override_settings
from pydantic import SecretStr

from accounts.models import Project
from devtools.faults.simulated import database
from devtools.faults.simulated.service import API_KEY, Service
from instances.domain.enums import JobType
from instances.handlers import limits
from instances.novita import client_factory
from jobs import failpoints, queue
from jobs.engine import outcome_writer
from jobs.models import Job, JobPriority
from jobs.outcomes import Outcome
from webhooks.handlers import letters

URL = "http://novita.test/gpu-instance/openapi/v1"
# Shorter than in production, so that hopeless waits end in fewer steps.
CONFIG: Mapping[str, Any] = {
    "novita_api_base_url": URL,
    "novita_api_key": SecretStr(API_KEY),
    "webhook_secret": None,
    "webhook_allowed_networks": None,
    "instance_start_timeout": 180.0,
    "instance_stuck_timeout": 90.0,
    "instance_poll_interval": 10.0,
    "reconcile_interval": 60.0,
    "novita_timeout": 10.0,
    "create_settle": 60.0,
    "expiry_warning": 20.0,
    "absence_after": 60.0,
    "orphan_policy": "terminate",
    "orphan_grace": 120.0,
}


@contextmanager
def opened(service: Service, **config: Any) -> Iterator[Project]:
    """Run the service inside this context, on an empty database prepared by ``database``."""
    with ExitStack() as stack:
        changed = settings.CONFIG.model_copy(update={**CONFIG, **config})
        stack.enter_context(override_settings(CONFIG=changed))
        stack.enter_context(_seeded(service.stream("ids")))
        stack.enter_context(_quietly())
        stack.enter_context(service.clock.installed())
        stack.enter_context(patch.object(client_factory, "_transport", lambda: service.network))
        stack.enter_context(patch.object(letters, "deliver", service.receiver.deliver))
        stack.enter_context(
            patch.object(outcome_writer, "write_outcomes", _checked_writes(service))
        )
        # Every five seconds in production: these jobs would be most of a run's steps.
        stack.enter_context(patch.object(limits, "EVERY", timedelta(seconds=20)))
        database.empty(thoroughly=service.seed % 50 == 0)
        project = _begin(service)
        stack.callback(failpoints.simulate, None)
        failpoints.simulate(service.deaths.at)
        stack.enter_context(connection.execute_wrapper(service.deaths.at_statement))
        service.hire()
        yield project


def _begin(service: Service) -> Project:
    """A project, and the recurring jobs that a run needs: the others only cost time."""
    project = Project.objects.create(
        name="simulated", webhook_secret="whsec_c2ltdWxhdGVkLXNpbXVsYXRlZC1zaW11bGF0ZWQ="
    )
    service.receiver.secret = project.webhook_secret
    for name in (JobType.RECONCILE, JobType.ENFORCE_LIMITS):
        key = f"recurring:{name}"
        queue.enqueue(name, payload={}, priority=JobPriority.LOW, dedupe_key=key)
    return project


@contextmanager
def _seeded(chance: Random) -> Iterator[None]:
    """Ids, tokens and jitter from the seed, so that a run can be repeated exactly."""
    before = random.getstate()
    random.seed(chance.random())
    seeded = _Secrets(chance)
    modules = [
        module
        for name, module in list(sys.modules.items())
        if name.startswith(("accounts.", "core.", "instances.", "jobs.", "devtools.simulator."))
        and getattr(module, "secrets", None) is secrets
    ]
    with ExitStack() as stack:
        for module in modules:
            stack.enter_context(patch.object(module, "secrets", seeded))
        yield
    random.setstate(before)


class _Secrets:
    """The functions of the module that the service uses, without secrecy."""

    def __init__(self, chance: Random) -> None:
        self.token_bytes = chance.randbytes

    def token_hex(self, count: int) -> str:
        return self.token_bytes(count).hex()


@contextmanager
def _quietly() -> Iterator[None]:
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(before)


def _checked_writes(service: Service) -> Any:
    """I5: a writer of a job's outcome must hold its token. Also adds the outcome to the story."""
    real = outcome_writer.write_outcomes

    def checked_write(jobs: Mapping[int, Job], outcomes: Mapping[int, Outcome]) -> None:
        tokens = dict(Job.objects.filter(pk__in=outcomes).values_list("pk", "lease_token"))
        for pk, outcome in outcomes.items():
            job = jobs[pk]
            if tokens.get(pk) != job.lease_token:
                service.violations.append(f"I5: a stale write to {job.type} {job.public_id}")
            service.tell(f"{job.type} {job.subject} -> {_short(outcome)}")
        real(jobs, outcomes)

    return checked_write


def _short(outcome: Outcome) -> str:
    text = type(outcome).__name__
    return f"{text}: {error[:80]}" if (error := getattr(outcome, "error", "")) else text
