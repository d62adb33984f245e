"""Reads Novita's enumerations, ignoring case, blanks, hyphens and underscores.

Synonyms become one word; an unknown word is kept unchanged and reported.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from upstream.answers.reasons import compact
from upstream.values import is_no_price, price_e5, text

_MAX_SHOWN = 60


@dataclass(frozen=True, slots=True)
class UnknownValue:
    """A word or price that this release cannot read, with its JSON field.

    For log lines, counters and findings, so that it is not silently taken as valid.
    """

    field: str
    value: str

    def __str__(self) -> str:
        return f"{self.field} {self.value!r}"


class Vocabulary:
    """Words of one enumeration in Novita's spelling, and synonyms of each."""

    def __init__(self, words: str, **synonyms: str) -> None:
        self.words = frozenset(words.split())
        self._by_key: Mapping[str, str] = {compact(word): word for word in self.words} | {
            compact(other): word for word, others in synonyms.items() for other in others.split()
        }

    def read(self, word: str) -> str | None:
        """The word in Novita's spelling; None if it is unknown."""
        return self._by_key.get(compact(word))


STATUSES = Vocabulary(
    "pending toCreate creating pulling running toStart starting toStop stopping exited toRestart"
    " restarting toRemove removing removed toReset resetting migrating freezing"
)
SPOT_STATUSES = Vocabulary("running notified reclaiming terminated")
# Version 2 of the API calls them postpaid and prepaid.
BILLING_MODES = Vocabulary(
    "onDemand monthly spot",
    onDemand="demand postpaid post-paid payAsYouGo pay-per-use payg hourly",
    monthly="prepaid pre-paid subscription month reserved",
    spot="preemptible interruptible spotInstance",
)
# An https port is an http port whose address contains the scheme.
PORT_TYPES = Vocabulary("http tcp udp", http="https web")
INVENTORY_STATES = Vocabulary("none low normal high", none="soldOut outOfStock empty")
JOB_STATES = Vocabulary(
    "pulling running fail success break",
    fail="failed failure error",
    success="succeeded successful done completed",
    **{"break": "broken canceled cancelled"},
)


class WordReader:
    """Reads words and prices of one JSON object, and collects those that it cannot read."""

    def __init__(self) -> None:
        self._unknown: list[UnknownValue] = []

    @property
    def unknown_values(self) -> tuple[UnknownValue, ...]:
        return tuple(dict.fromkeys(self._unknown))

    def word(self, vocabulary: Vocabulary, field: str, value: object) -> str:
        """The word in Novita's spelling; an unknown word unchanged; "" if there is none."""
        found = text(value)
        if not found:
            return ""
        known = vocabulary.read(found)
        if known is None:
            self._note(field, found)
        return found if known is None else known

    def price(self, field: str, value: object) -> int | None:
        """Price in 1/100,000 USD; None if there is none, or an unreadable one (collected)."""
        found = price_e5(value)
        if found is None and not is_no_price(value):
            self._note(field, text(value) or str(value))
        return found

    def _note(self, field: str, value: str) -> None:
        self._unknown.append(UnknownValue(field, value[:_MAX_SHOWN]))
