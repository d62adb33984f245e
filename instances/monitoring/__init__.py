"""Decides what an observation of Novita means for an instance, by the instance's status here."""

from instances.monitoring.absence import (
    PATIENCE,
    AskedTrail,
    Limits,
    absence_after,
    is_perhaps_too_young,
    judge_unasked,
    note_sighting,
    weigh_asked,
)
from instances.monitoring.absence import limits as absence_limits
from instances.monitoring.evidence import (
    MANY,
    Evidence,
    ListWord,
    Pass,
    contradicted,
    evidence_of,
    is_brake_on,
    list_word,
)
from instances.monitoring.observation import Observation, ObservationResult
from instances.monitoring.reappearance import status_shown, take_back
from instances.monitoring.snapshot import keep_access, save_notes
from instances.monitoring.startup import fail_unwatched
from instances.monitoring.steady import settle
from instances.monitoring.transitional import is_watched, observe

__all__ = [
    "MANY",
    "PATIENCE",
    "AskedTrail",
    "Evidence",
    "Limits",
    "ListWord",
    "Observation",
    "ObservationResult",
    "Pass",
    "absence_after",
    "absence_limits",
    "contradicted",
    "evidence_of",
    "fail_unwatched",
    "is_brake_on",
    "is_perhaps_too_young",
    "is_watched",
    "judge_unasked",
    "keep_access",
    "list_word",
    "note_sighting",
    "observe",
    "save_notes",
    "settle",
    "status_shown",
    "take_back",
    "weigh_asked",
]
