"""An observation of one instance, and the result of evaluating it."""

from dataclasses import dataclass

from jobs.outcomes import Outcome
from upstream.types import UpstreamInstance


@dataclass(frozen=True, slots=True)
class Observation:
    """What a list or a get by id showed of an instance.

    ``seen`` None: a get by id found nothing. Novita said so plainly, or refused the id in other
    words (``is_refused``).
    """

    seen: UpstreamInstance | None
    has_details: bool = False
    is_refused: bool = False

    @property
    def is_of_a_running_instance(self) -> bool:
        return self.seen is not None and self.seen.is_running

    @property
    def is_gone(self) -> bool:
        return self.seen is None or self.seen.is_gone_word


@dataclass(frozen=True, slots=True)
class ObservationResult:
    """The outcome of the job, and whether the caller must save the row."""

    outcome: Outcome
    is_to_be_saved: bool = False
