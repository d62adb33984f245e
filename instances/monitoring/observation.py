"""One look at one instance, and what follows from it."""

from dataclasses import dataclass

from jobs.outcomes import Outcome
from upstream.types import UpstreamInstance


@dataclass(frozen=True, slots=True)
class Observation:
    """What one look showed; ``seen`` is None when a direct look found nothing, which Novita said
    plainly, or by refusing the id in other words (``is_refused``).
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
    """What comes next, and whether what was noted is still to be saved."""

    outcome: Outcome
    is_to_be_saved: bool = False
