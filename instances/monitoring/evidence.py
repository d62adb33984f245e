"""Evidence of absence from a get by id and from the list of the same pass. Pure functions.

The conclusions are in ``absence``; both are explained in docs/absence.md.
"""

from collections.abc import Collection
from dataclasses import dataclass
from enum import Enum, auto

from upstream.errors import InstanceNotFound, NovitaError
from upstream.types import Listing, UpstreamInstance

# At least MANY missing at once, and over 1/LARGE_SHARE of all held: more likely Novita's mistake.
MANY = 3
LARGE_SHARE = 5


class Evidence(Enum):
    """Result of a get by id for one instance."""

    # Novita says not found, in any wording that means it, or `removed`.
    SAID_GONE = auto()
    # Novita refuses the id in words of unknown meaning.
    REFUSED = auto()
    SEEN = auto()
    # Answer of an edge, network error, refused key, rate limit, unreadable answer, or no call.
    NOTHING = auto()


class ListWord(Enum):
    """What the list of the same pass shows of the instance."""

    SHOWS = auto()
    # The list is whole and not empty, and lacks the instance or shows that it is being removed.
    LACKS = auto()
    # The list is whole and empty, with a total of 0.
    EMPTY = auto()
    # Only a part was read, or the answer has no total.
    PART = auto()
    # Novita did not return a list: no absence is believed.
    FAILED = auto()


@dataclass(frozen=True, slots=True)
class Pass:
    """A get by id and a list of the same pass.

    ``is_doubted``: the two contradict each other about another instance, or the list lacks all
    witnesses.
    """

    evidence: Evidence
    list_word: ListWord
    is_doubted: bool = False

    @property
    def is_absence(self) -> bool:
        """Whether the two allow a conclusion of absence."""
        is_silent = self.list_word in (ListWord.SHOWS, ListWord.FAILED)
        return self.evidence in (Evidence.SAID_GONE, Evidence.REFUSED) and not is_silent

    @property
    def agrees(self) -> bool:
        """Whether the list confirms the get by id. An empty list confirms only SAID_GONE."""
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
    """``listing`` None: Novita did not return a list."""
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
    """Ids that gets by id have found and that a complete list lacks."""
    return [each for each in alive if each not in listing.instances] if listing.is_complete else []


def is_mass_guard_on(*, vanished: int, held: int) -> bool:
    """The mass guard's condition: MANY or more, and over a fifth of all held instances."""
    return vanished >= MANY and vanished * LARGE_SHARE > held
