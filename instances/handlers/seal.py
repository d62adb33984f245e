"""seal_secrets: seals what an earlier release has left plain in the database; runs for ever.

Its work is the database's alone, in bites, so it happens in ``load``. A job and no migration:
processes of the earlier release write plainly until the last of them is gone.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta

from instances.services import resealing
from jobs.models import Job
from jobs.outcomes import Again, Outcome
from jobs.registry import Handler, Resolved, WorkItem

EVERY = timedelta(hours=6)
RUN_SECONDS = 0.3
BREATHER = timedelta(milliseconds=200)


class SealSecrets(Handler[None, None]):
    """Also runs when a worker starts: the first one of a new release begins with it."""

    def load(self, jobs: Sequence[Job]) -> Sequence[WorkItem[None] | Resolved]:
        is_finished = resealing.seal_plain_values(seconds=RUN_SECONDS)
        return [Resolved({job.pk: Again(EVERY if is_finished else BREATHER) for job in jobs})]

    def talk(self, work: None) -> None:
        """There is nothing to ask."""

    def apply(self, jobs: Sequence[Job], work: None, result: None) -> Mapping[int, Outcome]:
        return {job.pk: Again(EVERY) for job in jobs}
