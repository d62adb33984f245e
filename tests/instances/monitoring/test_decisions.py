"""What an observation of Novita means, by the status here: the table of docs/monitoring.md."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from core.clock import database_now
from instances import monitoring
from instances.domain.enums import MOVING_STATUSES
from instances.models import Instance
from instances.monitoring import Observation
from jobs.models import Job
from tests.instances.admin.conftest import Make, make
from tests.support.tables import table
from upstream.types import UpstreamInstance, UpstreamJob

__all__ = ["make"]
pytestmark = pytest.mark.django_db

# A status word of Novita, more of an observation, or nothing found.
Seen = str | dict[str, Any] | None

SECOND, HOUR = timedelta(seconds=1), timedelta(hours=1)
LONG = timedelta(hours=2)
# Moments are given as the time that has passed since.
FIRST = {"status": "starting", "upstream_changed_at": SECOND}
AGAIN = {"status": "starting", "ready_at": LONG, "upstream_changed_at": SECOND}
TAKEN = {"action": "start", "action_accepted_at": SECOND}
RESTARTED = {"action": "restart", "action_accepted_at": 9 * SECOND}
RUNNING = {"status": "running", "ready_at": LONG, "has_details": True, "details_seen_at": SECOND}
STOPPING = {"status": "stopping", "ready_at": LONG}
ASKED = {"action": "stop", "action_accepted_at": SECOND}
MIGRATING = {"status": "migrating", "ready_at": LONG, "status_changed_at": SECOND}
STOPPED = {"status": "stopped", "ready_at": LONG}
KEPT = {"status": "failed", "on_start_failure": "keep"}
BROKEN = {"status": "exited", "status_error_message": "node lost"}
ERRONEOUS = {"status": "running", "status_error_message": "an earlier pull failed"}
RECLAIMED = {"status": "exited", "spot_status": "terminated"}
OLD_RECLAIM = {"status": "exited", "spot_reclaim_at": datetime(2026, 2, 1, tzinfo=UTC)}
LATE = {"start_deadline_at": HOUR}
UNCHANGED = {"upstream_changed_at": HOUR, "status_changed_at": HOUR}


@table(
    ("here", "seen", "outcome"),
    # Starting for the first time
    ("a first start goes on while Novita pulls", FIRST, "pulling", "starting"),
    ("a pull may take until the deadline", FIRST | UNCHANGED, "pulling", "starting"),
    ("a pull past the deadline fails", FIRST | LATE, "pulling", "failed STARTUP_TIMEOUT"),
    ("no progress for long fails", FIRST | UNCHANGED, "creating", "failed STARTUP_TIMEOUT"),
    ("an unknown word is no standstill", FIRST | UNCHANGED, "hibernating", "starting"),
    ("a first start that runs has arrived", FIRST, "running", "running"),
    ("what runs at the deadline has arrived", FIRST | LATE, "running", "running"),
    ("what runs has arrived, whatever else it says", FIRST, ERRONEOUS, "running"),
    ("what exits before it ran has failed", FIRST, "exited", "failed STARTUP_FAILED"),
    ("what is removed before it ran has failed", FIRST, "toRemove", "failed STARTUP_FAILED"),
    ("a first start waits while it is frozen", FIRST, "freezing", "starting"),
    ("a first start waits while it migrates", FIRST, "migrating", "starting"),
    ("a first start waits while it stops", FIRST, "stopping", "starting"),
    ("a first start not found is suspected", FIRST, None, "starting NOT_SEEN_AT_NOVITA"),
    ("not found long past the deadline fails", FIRST | LATE, None, "failed STARTUP_TIMEOUT"),
    # Starting when it ran before
    ("a start goes on while Novita starts it", AGAIN | TAKEN, "toStart", "starting"),
    ("a start that runs has arrived", AGAIN | TAKEN, "running", "running"),
    (
        "running counts for nothing before the start was accepted",
        *(AGAIN | {"action": "start"}, "running", "starting"),
    ),
    (
        "running may be from before a restart",
        *(AGAIN | UNCHANGED | RESTARTED, "running", "starting"),
    ),
    (
        "ten seconds after a restart it is not",
        *(
            AGAIN | UNCHANGED | RESTARTED | {"action_accepted_at": 11 * SECOND},
            "running",
            "running",
        ),
    ),
    ("an accepted start may still show exited", AGAIN | TAKEN, "exited", "starting"),
    (
        "exited a minute after the start is a start without effect",
        *(AGAIN | TAKEN | {"action_accepted_at": HOUR}, "exited", "stopped STARTUP_TIMEOUT"),
    ),
    (
        "past the deadline a start is stopped",
        *(AGAIN | TAKEN | LATE, "starting", "stopping STARTUP_TIMEOUT"),
    ),
    (
        "past the deadline what migrates has stopped",
        *(AGAIN | TAKEN | LATE, "migrating", "stopped STARTUP_TIMEOUT"),
    ),
    ("a start not found is suspected", AGAIN | TAKEN, None, "starting NOT_SEEN_AT_NOVITA"),
    # Running
    ("what runs goes on", RUNNING, "running", "running"),
    ("what exits has stopped", RUNNING, "exited", "stopped CHANGED_AT_NOVITA"),
    ("what exits with an error has crashed", RUNNING, BROKEN, "stopped CRASHED"),
    ("what Novita reclaims has stopped", RUNNING, RECLAIMED, "stopped SPOT_RECLAIMED"),
    ("a reclaim of an earlier run is over", RUNNING, OLD_RECLAIM, "stopped CHANGED_AT_NOVITA"),
    ("what freezes has stopped for want of money", RUNNING, "freezing", "stopped ARREARS"),
    ("what stops is stopping", RUNNING, "stopping", "stopping CHANGED_AT_NOVITA"),
    ("what restarts is starting", RUNNING, "restarting", "starting CHANGED_AT_NOVITA"),
    ("what migrates is migrating", RUNNING, "migrating", "migrating CHANGED_AT_NOVITA"),
    ("what will be removed still runs", RUNNING, "toRemove", "running"),
    ("what runs and is not found is suspected", RUNNING, None, "running NOT_SEEN_AT_NOVITA"),
    # Stopping
    ("a stop takes its time", STOPPING | ASKED, "stopping", "stopping"),
    ("a stop may not show yet", STOPPING | ASKED, "running", "stopping"),
    ("a stop is over when it shows", STOPPING | ASKED, "exited", "stopped"),
    ("a stop of what freezes is over, too", STOPPING | ASKED, "freezing", "stopped ARREARS"),
    (
        "a stop at Novita that was undone is over and starts",
        *(STOPPING | {"reason_code": "CHANGED_AT_NOVITA"}, "running", "starting CHANGED_AT_NOVITA"),
    ),
    (
        "a stop that makes no progress is stuck",
        *(STOPPING | ASKED | UNCHANGED, "stopping"),
        "stopping STUCK",
    ),
    ("a stop not found is suspected", STOPPING | ASKED, None, "stopping NOT_SEEN_AT_NOVITA"),
    # Migrating
    ("a migration takes its time", MIGRATING, "migrating", "migrating"),
    ("what runs again has moved", MIGRATING, "running", "running"),
    ("what exits on the way has stopped", MIGRATING, "exited", "stopped"),
    ("what freezes on the way has stopped", MIGRATING, "freezing", "stopped ARREARS"),
    ("a migration not found is suspected", MIGRATING, None, "migrating NOT_SEEN_AT_NOVITA"),
    (
        "a migration without progress is stuck",
        MIGRATING | UNCHANGED,
        "migrating",
        "migrating STUCK",
    ),
    # Stopped, and failed with the GPU kept
    ("what is stopped stays stopped", STOPPED, "exited", "stopped"),
    ("what starts at Novita starts here", STOPPED, "starting", "starting CHANGED_AT_NOVITA"),
    ("what runs at Novita starts here", STOPPED, "running", "starting CHANGED_AT_NOVITA"),
    ("what moves at Novita moves here", STOPPED, "migrating", "migrating CHANGED_AT_NOVITA"),
    (
        "what failed to migrate shows migrating for ever",
        *(STOPPED | {"reason_code": "MIGRATION_FAILED"}, "migrating", "stopped MIGRATION_FAILED"),
    ),
    ("what is stopped and not found is suspected", STOPPED, None, "stopped NOT_SEEN_AT_NOVITA"),
    ("a kept failure stays failed, whatever it does", KEPT, "running", "failed STARTUP_FAILED"),
    ("a kept failure not found is suspected", KEPT, None, "failed NOT_SEEN_AT_NOVITA"),
)
def test_by_the_status_here_and_the_observation(
    make: Make, here: dict[str, Any], seen: Seen, outcome: str
) -> None:
    instance = decide(make, here, seen)
    assert f"{instance.status} {code_of(instance)}".strip() == outcome
    if here["status"] in ("running", "stopped"):
        is_watched = Job.objects.live().filter(type="monitor_instance").exists()
        assert is_watched is (instance.status in MOVING_STATUSES)


@table(
    ("here", "job_age", "seen", "outcome"),
    ("a job of this migration", {}, SECOND, "migrating", "stopped MIGRATION_FAILED"),
    ("a job from long before is of another one", {}, LONG, "migrating", "migrating"),
    ("unless nothing moves", UNCHANGED, LONG, "migrating", "stopped MIGRATION_FAILED"),
    ("what runs has moved, whatever its jobs say", {}, SECOND, "running", "running"),
)
def test_by_a_failed_migration_job(
    make: Make, here: dict[str, Any], job_age: timedelta, seen: str, outcome: str
) -> None:
    made_at = database_now() - job_age
    failed = UpstreamJob("j-1", "instanceMigrate", "fail", "up-1", created_at=made_at)
    instance = decide(make, MIGRATING | here, seen, failed_move=failed)
    assert f"{instance.status} {code_of(instance)}".strip() == outcome


def decide(make: Make, here: dict[str, Any], shown: Seen, **found: Any) -> Instance:
    """The instance after an observation by id."""
    now = database_now()
    word = {"status": shown} if isinstance(shown, str) else shown or {}
    defaults = {"status_changed_at": HOUR, "upstream_status": word.get("status", "")}
    fields = {
        name: now - value if isinstance(value, timedelta) else value
        for name, value in {**defaults, **here}.items()
    }
    status = fields.pop("status")
    if status == "failed":
        fields["error_code"] = "STARTUP_FAILED"
    instance = make(status, **fields)
    seen = UpstreamInstance("up-1", ssh_command="ssh root@h", **word) if word else None
    sighting = Observation(seen, has_details=True)
    if status in ("running", "stopped", "failed"):
        monitoring.settle(instance, sighting, job=None, now=now)
    else:
        job = Job(public_id="job_1", type="monitor_instance")
        monitoring.observe(instance, sighting, job=job, now=now, **found)
    return instance


def code_of(instance: Instance) -> str:
    return instance.reason_code or instance.error_code
