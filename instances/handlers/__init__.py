"""Job types of this app: one module for each handler, with load, call and apply."""

from datetime import timedelta

from instances.domain.enums import JobType
from jobs import handler
from jobs.handler import ATTEMPTS_WITHOUT_LIMIT, RetryPolicy

# An outage of an hour at Novita must not fail a job: creates and monitor jobs end at the instance's
# deadline, terminations when they are done, recurring jobs never.
NEVER_GIVE_UP = RetryPolicy(
    max_attempts=ATTEMPTS_WITHOUT_LIMIT, first=timedelta(seconds=1), longest=timedelta(seconds=30)
)


def register_job_types() -> None:
    """Register all handlers; called once when Django is ready."""
    from instances.handlers import (
        catalogue,
        create,
        limits,
        monitor,
        power_actions,
        probe,
        reconcile,
        seal,
        template,
        terminate,
        undelivered,
        webhook,
    )

    for job_type in (
        handler.JobType(
            JobType.CREATE_INSTANCE,
            create.CreateInstance(),
            batch_size=50,
            max_in_flight=120,
            retry=NEVER_GIVE_UP,
            is_fair=True,
        ),
        handler.JobType(
            JobType.MONITOR_INSTANCE,
            monitor.MonitorInstance(),
            batch_size=500,
            max_in_flight=2000,
            retry=NEVER_GIVE_UP,
        ),
        handler.JobType(
            JobType.SEND_WEBHOOK,
            webhook.SendInstanceWebhook(),
            batch_size=20,
            max_in_flight=60,
            retry=NEVER_GIVE_UP,
        ),
        handler.JobType(
            JobType.RECORD_UNDELIVERED,
            undelivered.RecordUndelivered(),
            batch_size=20,
            max_in_flight=60,
            retry=NEVER_GIVE_UP,
        ),
        handler.JobType(
            JobType.TERMINATE_INSTANCE,
            terminate.TerminateInstance(),
            batch_size=20,
            max_in_flight=60,
            retry=NEVER_GIVE_UP,
        ),
        *(
            handler.JobType(
                verb,
                power_actions.ChangeInstance(),
                batch_size=20,
                max_in_flight=60,
                retry=NEVER_GIVE_UP,
            )
            for verb in (JobType.START_INSTANCE, JobType.STOP_INSTANCE, JobType.RESTART_INSTANCE)
        ),
        handler.JobType(
            JobType.LOOK_UP_TEMPLATE,
            template.LookUpTemplate(),
            batch_size=10,
            max_in_flight=20,
        ),
        handler.JobType(
            JobType.RECONCILE,
            reconcile.Reconcile(),
            max_in_flight=1,
            run_limit=timedelta(minutes=10),
            retry=NEVER_GIVE_UP,
            is_recurring=True,
            runs_at_start=True,
        ),
        handler.JobType(
            JobType.ENFORCE_LIMITS,
            limits.EnforceLimits(),
            max_in_flight=1,
            retry=NEVER_GIVE_UP,
            is_recurring=True,
        ),
        handler.JobType(
            JobType.REFRESH_CATALOGUE,
            catalogue.RefreshCatalogue(),
            max_in_flight=1,
            retry=NEVER_GIVE_UP,
            is_recurring=True,
        ),
        handler.JobType(
            JobType.PROBE_UPSTREAM,
            probe.ProbeUpstream(),
            max_in_flight=1,
            retry=NEVER_GIVE_UP,
            is_recurring=True,
        ),
        handler.JobType(
            JobType.SEAL_SECRETS,
            seal.SealSecrets(),
            max_in_flight=1,
            retry=NEVER_GIVE_UP,
            is_recurring=True,
            runs_at_start=True,
        ),
    ):
        handler.register_type(job_type)
