"""Every enumeration of Novita, read in one place: case, blanks, hyphens and underscores do not
count, known synonyms are one word, and an unknown word is kept as it came and told as unknown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from upstream.answers.reasons import compact
from upstream.values import is_no_price, price_e5, text

_MAX_SHOWN = 60


@dataclass(frozen=True, slots=True)
class UnknownValue:
    """A word or a price that this release cannot read, with the JSON field it stood in.

    For a log line, a counter or a finding: it never passes as the good case in silence.
    """

    field: str
    value: str

    def __str__(self) -> str:
        return f"{self.field} {self.value!r}"


class Vocabulary:
    """The words of one enumeration, as Novita spells them, and the synonyms of each."""

    def __init__(self, words: str, **synonyms: str) -> None:
        self.words = frozenset(words.split())
        self._by_key: Mapping[str, str] = {compact(word): word for word in self.words} | {
            compact(other): word for word, others in synonyms.items() for other in others.split()
        }

    def read(self, word: str) -> str | None:
        """Novita's own spelling; None for an unknown word."""
        return self._by_key.get(compact(word))


STATUSES = Vocabulary(
    "pending toCreate creating pulling running toStart starting toStop stopping exited toRestart"
    " restarting toRemove removing removed toReset resetting migrating freezing"
)
SPOT_STATUSES = Vocabulary("running notified reclaiming terminated")
# v2 of the API says postpaid and prepaid for the same.
BILLING_MODES = Vocabulary(
    "onDemand monthly spot",
    onDemand="demand postpaid post-paid payAsYouGo pay-per-use payg hourly",
    monthly="prepaid pre-paid subscription month reserved",
    spot="preemptible interruptible spotInstance",
)
# An https port is an http port whose address carries the scheme.
PORT_TYPES = Vocabulary("http tcp udp", http="https web")
INVENTORY_STATES = Vocabulary("none low normal high", none="soldOut outOfStock empty")
JOB_STATES = Vocabulary(
    "pulling running fail success break",
    fail="failed failure error",
    success="succeeded successful done completed",
    **{"break": "broken canceled cancelled"},
)


class WordReader:
    """Reads the words and prices of one JSON object, and notes what it could not read."""

    def __init__(self) -> None:
        self._unknown: list[UnknownValue] = []

    @property
    def unknown_values(self) -> tuple[UnknownValue, ...]:
        return tuple(dict.fromkeys(self._unknown))

    def word(self, vocabulary: Vocabulary, field: str, value: object) -> str:
        """Novita's spelling; an unknown word as it came; "" for nothing."""
        found = text(value)
        if not found:
            return ""
        known = vocabulary.read(found)
        if known is None:
            self._note(field, found)
        return found if known is None else known

    def price(self, field: str, value: object) -> int | None:
        """In 1/100,000 USD; None for no price, which is noted if something else stands there."""
        found = price_e5(value)
        if found is None and not is_no_price(value):
            self._note(field, text(value) or str(value))
        return found

    def _note(self, field: str, value: str) -> None:
        self._unknown.append(UnknownValue(field, value[:_MAX_SHOWN]))
