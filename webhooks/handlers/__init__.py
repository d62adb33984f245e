"""Job types of webhooks."""

from datetime import timedelta

from jobs import handler
from jobs.handler import ATTEMPTS_WITHOUT_LIMIT, RetryPolicy
from webhooks import lanes
from webhooks.services.replays import JOB_TYPE as REPLAY

# Deliveries count their own attempts; a lane never gives up.
NEVER_GIVE_UP = RetryPolicy(
    max_attempts=ATTEMPTS_WITHOUT_LIMIT, first=timedelta(seconds=1), longest=timedelta(minutes=1)
)
PRUNE = "prune_webhooks"


def register_job_types() -> None:
    """Register the handlers; called once when Django is ready."""
    from webhooks.handlers import deliver, prune, replay

    for job_type in (
        handler.JobType(
            lanes.JOB_TYPE,
            deliver.DeliverWebhooks(),
            batch_size=20,
            max_in_flight=120,
            retry=NEVER_GIVE_UP,
            is_fair=True,
        ),
        handler.JobType(
            REPLAY, replay.ReplayWebhooks(), batch_size=10, max_in_flight=20, retry=NEVER_GIVE_UP
        ),
        handler.JobType(
            PRUNE,
            prune.PruneWebhooks(),
            max_in_flight=1,
            run_limit=timedelta(minutes=10),
            retry=NEVER_GIVE_UP,
            is_recurring=True,
            runs_at_start=True,
        ),
    ):
        handler.register_type(job_type)
