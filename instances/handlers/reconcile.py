"""reconcile: compares all that is at Novita with all that is held here; recurring."""

from collections.abc import Mapping, Sequence
from datetime import timedelta

from django.conf import settings

from instances import reconciliation
from instances.models.locking import cause_of
from instances.novita import limiter
from instances.reconciliation import ReconcileWork, Seen
from jobs.failpoints import failpoint
from jobs.handler import Handler, Resolved, WorkItem
from jobs.models import Job
from jobs.outcomes import Again, Outcome


class Reconcile(Handler[ReconcileWork, Seen]):
    """One pass each RECONCILE_INTERVAL; its calls grow with the pages of the account's list."""

    def load(self, jobs: Sequence[Job]) -> Sequence[WorkItem[ReconcileWork] | Resolved]:
        work = reconciliation.plan_pass()
        if not work.permit.is_granted:
            return [Resolved({job.pk: Again(work.permit.wait) for job in jobs})]
        return [WorkItem(jobs, work)]

    def call(self, work: ReconcileWork) -> Seen:
        seen = reconciliation.scan_account(work)
        failpoint("reconcile.after_look")
        return seen

    def record_usage(self, calls: Sequence[tuple[ReconcileWork, Seen]]) -> None:
        limiter.report((work.permit, seen.calls) for work, seen in calls)

    def apply(
        self, jobs: Sequence[Job], work: ReconcileWork, result: Seen
    ) -> Mapping[int, Outcome]:
        job = jobs[0]
        reconciliation.apply_pass(
            work,
            result,
            account=settings.CONFIG.upstream_account,
            cause=cause_of(job, "the reconciler"),
            job=job,
        )
        failpoint("reconcile.before_commit")
        pause = max(_pause(result), limiter.fair_pause(len(result.calls)))
        return {each.pk: Again(pause) for each in jobs}


# Pause after a pass that could not read all it had to.
SOON = timedelta(seconds=5)
# Pause while an instance is not found, so that a reappearance is noticed soon.
UNSEEN_PAUSE = timedelta(seconds=20)


def _pause(result: Seen) -> timedelta:
    if result.left:
        return SOON
    return min(UNSEEN_PAUSE, _interval()) if result.has_unseen else _interval()


def _interval() -> timedelta:
    return timedelta(seconds=settings.CONFIG.reconcile_interval)
