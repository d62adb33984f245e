"""Decides what an observation of Novita means for an instance, by the instance's status here."""

from instances.monitoring.absence import (
    PATIENCE,
    AskedTrail,
    Limits,
    absence_after,
    evaluate_unasked,
    is_perhaps_too_young,
    note_observation,
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
    is_mass_guard_on,
    list_word,
)
from instances.monitoring.observation import Observation, ObservationResult
from instances.monitoring.reappearance import status_shown, take_back
from instances.monitoring.snapshot import keep_access, save_observations
from instances.monitoring.startup import fail_unmonitored
from instances.monitoring.steady import evaluate as evaluate_steady
from instances.monitoring.transitional import is_monitored, observe

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
    "evaluate_steady",
    "evaluate_unasked",
    "evidence_of",
    "fail_unmonitored",
    "is_mass_guard_on",
    "is_monitored",
    "is_perhaps_too_young",
    "keep_access",
    "list_word",
    "note_observation",
    "observe",
    "save_observations",
    "status_shown",
    "take_back",
    "weigh_asked",
]
