"""What an observation of Novita means, by the status here: the table of docs/monitoring.md."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from core.clock import database_now
from instances import monitoring
from instances.domain.enums import TRANSITIONAL_STATUSES
from instances.models import Instance
from instances.monitoring import Observation
from jobs.models import Job
from tests.instances.admin.conftest import Make, make
from tests.support.tables import table
from upstream.types import UpstreamInstance, UpstreamJob

__all__ = ["make"]
pytestmark = pytest.mark.django_db

Fields = dict[str, Any]
# A status word of Novita, more of an observation, or nothing found.
Seen = str | Fields | None

SECOND, HOUR, LONG = timedelta(seconds=1), timedelta(hours=1), timedelta(hours=2)
# Moments are given as the time that has passed since.
FIRST: Fields = {"status": "starting", "upstream_changed_at": SECOND}
CAPPED = FIRST | {"max_price_per_hour_e5_usd": 70_000, "gpu_num": 2}
AGAIN: Fields = {"status": "starting", "ready_at": LONG, "upstream_changed_at": SECOND}
ASKED_FOR = AGAIN | {"action": "start"}
TAKEN = ASKED_FOR | {"action_accepted_at": SECOND}
TAKEN_LONG_AGO = ASKED_FOR | {"action_accepted_at": HOUR}
RUNNING: Fields = {"status": "running", "ready_at": LONG, "has_details": True}
RUNNING |= {"details_seen_at": SECOND}
STOPS: Fields = {"status": "stopping", "ready_at": LONG}
STOPS_THERE = STOPS | {"reason_code": "CHANGED_AT_NOVITA"}
STOPS_HERE = STOPS | {"action": "stop", "action_accepted_at": SECOND}
MIGRATES: Fields = {"status": "migrating", "ready_at": LONG, "status_changed_at": SECOND}
STOPPED: Fields = {"status": "stopped", "ready_at": LONG}
STAYED = STOPPED | {"reason_code": "MIGRATION_FAILED"}
KEPT: Fields = {"status": "failed", "on_start_failure": "keep"}
LATE: Fields = {"start_deadline_at": HOUR}
STILL: Fields = {"upstream_changed_at": HOUR, "status_changed_at": HOUR}
RESTARTED = AGAIN | STILL | {"action": "restart", "action_accepted_at": 9 * SECOND}
RESTARTED_LONG_AGO = RESTARTED | {"action_accepted_at": 11 * SECOND}
UNSEEN: Fields = {"absence_seen_at": SECOND, "reason_code": "NOT_SEEN_AT_NOVITA"}
# What Novita shows beside its status word.
BROKEN: Fields = {"status": "exited", "status_error_message": "node lost"}
ERRONEOUS: Fields = {"status": "running", "status_error_message": "an earlier pull failed"}
RECLAIMED: Fields = {"status": "exited", "spot_status": "terminated"}
OLD_RECLAIM: Fields = {"status": "exited", "spot_reclaim_at": datetime(2026, 2, 1, tzinfo=UTC)}
AT_THE_CAP: Fields = {"status": "pulling", "price_e5_usd": 35_000}
ABOVE_IT: Fields = {"status": "pulling", "price_e5_usd": 35_001}


@table(
    ("here", "seen", "outcome"),
    # Starting for the first time
    ("a first start goes on while Novita pulls", FIRST, "pulling", "starting"),
    ("a pull may take until the deadline", FIRST | STILL, "pulling", "starting"),
    ("a pull past the deadline fails", FIRST | LATE, "pulling", "failed STARTUP_TIMEOUT"),
    ("no progress for long fails", FIRST | STILL, "creating", "failed STARTUP_TIMEOUT"),
    ("an unknown word is no standstill", FIRST | STILL, "hibernating", "starting"),
    ("a price at the cap is allowed", CAPPED, AT_THE_CAP, "starting"),
    ("a price above the cap is not", CAPPED, ABOVE_IT, "failed PRICE_ABOVE_CAP"),
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
    ("a start goes on while Novita starts it", TAKEN, "toStart", "starting"),
    ("a start that runs has arrived", TAKEN, "running", "running"),
    ("before a start was accepted, running is from before", ASKED_FOR, "running", "starting"),
    ("soon after a restart, too", RESTARTED, "running", "starting"),
    ("ten seconds after a restart no more", RESTARTED_LONG_AGO, "running", "running"),
    ("an accepted start may still show exited", TAKEN, "exited", "starting"),
    ("after a minute it had no effect", TAKEN_LONG_AGO, "exited", "stopped STARTUP_TIMEOUT"),
    ("a new error is a crash", TAKEN_LONG_AGO, BROKEN, "stopped CRASHED"),
    ("an error from before the start is none of it", TAKEN | STILL, BROKEN, "starting"),
    ("past the deadline it is stopped", TAKEN | LATE, "starting", "stopping STARTUP_TIMEOUT"),
    ("or stopped already, if it migrates", TAKEN | LATE, "migrating", "stopped STARTUP_TIMEOUT"),
    ("a start not found is suspected", TAKEN, None, "starting NOT_SEEN_AT_NOVITA"),
    # Running
    ("what runs goes on", RUNNING, "running", "running"),
    ("one observation ends the suspicion", RUNNING | UNSEEN, "running", "running"),
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
    ("a stop takes its time", STOPS_HERE, "stopping", "stopping"),
    ("a stop may not show yet", STOPS_HERE, "running", "stopping"),
    ("a stop is over when it shows", STOPS_HERE, "exited", "stopped"),
    ("a stop of what freezes is over, too", STOPS_HERE, "freezing", "stopped ARREARS"),
    ("an undone stop at Novita starts", STOPS_THERE, "running", "starting CHANGED_AT_NOVITA"),
    ("a stop without progress is stuck", STOPS_HERE | STILL, "stopping", "stopping STUCK"),
    ("a stop not found is suspected", STOPS_HERE, None, "stopping NOT_SEEN_AT_NOVITA"),
    # Migrating
    ("a migration takes its time", MIGRATES, "migrating", "migrating"),
    ("what runs again has moved", MIGRATES, "running", "running"),
    ("what exits on the way has stopped", MIGRATES, "exited", "stopped"),
    ("what freezes on the way has stopped", MIGRATES, "freezing", "stopped ARREARS"),
    ("a migration not found is suspected", MIGRATES, None, "migrating NOT_SEEN_AT_NOVITA"),
    ("without progress it is stuck", MIGRATES | STILL, "migrating", "migrating STUCK"),
    # Stopped, and failed with the GPU kept
    ("what is stopped stays stopped", STOPPED, "exited", "stopped"),
    ("what starts at Novita starts here", STOPPED, "starting", "starting CHANGED_AT_NOVITA"),
    ("what runs at Novita starts here", STOPPED, "running", "starting CHANGED_AT_NOVITA"),
    ("what moves at Novita moves here", STOPPED, "migrating", "migrating CHANGED_AT_NOVITA"),
    ("a failed migration shows for ever", STAYED, "migrating", "stopped MIGRATION_FAILED"),
    ("what is stopped and not found is suspected", STOPPED, None, "stopped NOT_SEEN_AT_NOVITA"),
    ("a kept failure stays failed, whatever it does", KEPT, "running", "failed STARTUP_FAILED"),
    ("a kept failure not found is suspected", KEPT, None, "failed NOT_SEEN_AT_NOVITA"),
)
def test_by_the_status_here_and_the_observation(
    make: Make, here: Fields, seen: Seen, outcome: str
) -> None:
    instance = decide(make, here, seen)
    assert f"{instance.status} {code_of(instance)}".strip() == outcome
    if here["status"] in ("running", "stopped"):
        is_monitored = Job.objects.live().filter(type="monitor_instance").exists()
        assert is_monitored is (instance.status in TRANSITIONAL_STATUSES)


@table(
    ("here", "job_age", "seen", "outcome"),
    ("a job of this migration", {}, SECOND, "migrating", "stopped MIGRATION_FAILED"),
    ("a job from long before is of another one", {}, LONG, "migrating", "migrating"),
    ("unless nothing moves", STILL, LONG, "migrating", "stopped MIGRATION_FAILED"),
    ("what runs has moved, whatever its jobs say", {}, SECOND, "running", "running"),
)
def test_by_a_failed_migration_job(
    make: Make, here: Fields, job_age: timedelta, seen: str, outcome: str
) -> None:
    made_at = database_now() - job_age
    failed = UpstreamJob("j-1", "instanceMigrate", "fail", "up-1", created_at=made_at)
    instance = decide(make, MIGRATES | here, seen, failed_move=failed)
    assert f"{instance.status} {code_of(instance)}".strip() == outcome


def decide(make: Make, here: Fields, shown: Seen, **found: Any) -> Instance:
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
    observation = Observation(seen, has_details=True)
    if status in ("running", "stopped", "failed"):
        monitoring.evaluate_steady(instance, observation, job=None, now=now)
    else:
        job = Job(public_id="job_1", type="monitor_instance")
        monitoring.observe(instance, observation, job=job, now=now, **found)
    return instance


def code_of(instance: Instance) -> str:
    return instance.reason_code or instance.error_code
