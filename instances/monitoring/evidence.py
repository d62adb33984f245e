"""What the two witnesses of absence say: a look by id, and the list of the same pass.

Pure functions of what was seen. What follows from it is in ``absence``; both in words in
docs/absence.md.
"""

from collections.abc import Collection
from dataclasses import dataclass
from enum import Enum, auto

from upstream.errors import InstanceNotFound, NovitaError
from upstream.types import Listing, UpstreamInstance

# At least MANY at once, and more than a LARGE_SHARE-th of all: more likely a mistake of Novita's.
MANY = 3
LARGE_SHARE = 5


class Evidence(Enum):
    """What one look by id says of one instance."""

    # Novita's own word, by its meaning: not found, or `removed`.
    SAID_GONE = auto()
    # Novita refuses the id in words of unknown meaning.
    REFUSED = auto()
    SEEN = auto()
    # An edge, the network, the key, the rate, an unreadable answer, or no look at all.
    NOTHING = auto()


class ListWord(Enum):
    """What the list of the same pass says of it."""

    SHOWS = auto()
    # The whole list, which is not empty, lacks it, or shows that it is being removed.
    LACKS = auto()
    # The whole list is empty, and says so by a total of 0.
    EMPTY = auto()
    # Only a part was read, or the answer has no total.
    PART = auto()
    # No list of Novita's own came back: no absence is believed.
    FAILED = auto()


@dataclass(frozen=True, slots=True)
class Pass:
    """Both witnesses of one moment. ``is_doubted``: they contradict each other about another
    instance, or the list lacks all that are known to live.
    """

    evidence: Evidence
    list_word: ListWord
    is_doubted: bool = False

    @property
    def is_absence(self) -> bool:
        """Whether it speaks for absence at all."""
        is_silent = self.list_word in (ListWord.SHOWS, ListWord.FAILED)
        return self.evidence in (Evidence.SAID_GONE, Evidence.REFUSED) and not is_silent

    @property
    def agrees(self) -> bool:
        """Whether the list bears the look out. An empty list bears only Novita's plain word out."""
        if self.is_doubted or not self.is_absence:
            return False
        is_plain = self.evidence == Evidence.SAID_GONE and self.list_word == ListWord.EMPTY
        return self.list_word == ListWord.LACKS or is_plain


def evidence_of(seen: UpstreamInstance | None, error: NovitaError | None) -> Evidence:
    if seen is not None:
        return Evidence.SAID_GONE if seen.is_gone_word else Evidence.SEEN
    if isinstance(error, InstanceNotFound):
        return Evidence.SAID_GONE
    if error is not None and error.refuses_the_id:
        return Evidence.REFUSED
    return Evidence.NOTHING


def list_word(listing: Listing | None, upstream_id: str) -> ListWord:
    """``listing``: None where no list of Novita's own came back."""
    if listing is None:
        return ListWord.FAILED
    item = listing.instances.get(upstream_id)
    if item is not None:
        is_going = item.is_gone_word or item.is_leaving_word
        return ListWord.LACKS if is_going else ListWord.SHOWS
    if not listing.is_complete:
        return ListWord.PART
    if listing.instances:
        return ListWord.LACKS
    return ListWord.EMPTY if listing.total == 0 else ListWord.PART


def contradicted(listing: Listing, alive: Collection[str]) -> list[str]:
    """What looks by id find at the moment at which a list that calls itself whole lacks it."""
    return [each for each in alive if each not in listing.instances] if listing.is_complete else []


def is_brake_on(*, vanished: int, held: int) -> bool:
    """Three or more, and over a fifth of everything that we hold."""
    return vanished >= MANY and vanished * LARGE_SHARE > held
