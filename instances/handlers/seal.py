"""seal_secrets: seals secrets that an earlier release wrote unsealed; recurring.

Works in ``load``, in batches, on the database only. Not a migration, since processes of the earlier
release go on writing unsealed values during an update.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta

from instances.services import resealing
from jobs.handler import Handler, Resolved, WorkItem
from jobs.models import Job
from jobs.outcomes import Again, Outcome

EVERY = timedelta(hours=6)
RUN_SECONDS = 0.3
PAUSE = timedelta(milliseconds=200)


class SealSecrets(Handler[None, None]):
    """Also runs when a worker starts, and so first in a new release."""

    def load(self, jobs: Sequence[Job]) -> Sequence[WorkItem[None] | Resolved]:
        is_finished = resealing.seal_plain_values(seconds=RUN_SECONDS)
        return [Resolved({job.pk: Again(EVERY if is_finished else PAUSE) for job in jobs})]

    def call(self, work: None) -> None:
        """No network."""

    def apply(self, jobs: Sequence[Job], work: None, result: None) -> Mapping[int, Outcome]:
        return {job.pk: Again(EVERY) for job in jobs}
