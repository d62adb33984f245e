"""Lists the whole account, and gets by id what the list leaves open. No database access."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from instances.monitoring import (
    Evidence,
    ListWord,
    Observation,
    contradicted,
    evidence_of,
    list_word,
)
from instances.novita import client_factory, listing_profile
from instances.novita.limiter import Permit
from instances.novita.name_signing import NameSigner
from upstream.call_records import CallRecord
from upstream.client import NovitaClient
from upstream.errors import NovitaError
from upstream.types import Listing, UpstreamInstance

# Up to this many GPUs that changed are read by id; more by a second list.
FEW = 10


@dataclass(frozen=True, slots=True)
class Held:
    """A GPU held by a stable row, and the word that Novita shows if nothing has changed."""

    upstream_id: str
    expected: str


@dataclass(frozen=True, slots=True)
class ReconcileWork:
    """Input of a pass.

    ``held``: longest unseen first. ``begun_at``: database time before the first call; rows that
    changed later are not compared.
    """

    permit: Permit
    pages: int
    signer: NameSigner
    held: tuple[Held, ...]
    begun_at: datetime
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class Seen:
    """Result of a pass.

    ``ours``: listed GPUs with this installation's signature, by reference, running ones first, then
    the oldest. ``observations``: of held GPUs; a GPU without one was not read and proves
    nothing (``left``). ``unfound``: missing in the list and not found by id. ``list_words``:
    evidence of the list for GPUs not found by id. ``contradicting``: found by id although the whole
    list lacks them.
    """

    calls: Sequence[CallRecord]
    is_complete: bool = False
    pages: int = 1
    listed: int = 0
    ours: Mapping[str, Sequence[UpstreamInstance]] = field(default_factory=dict)
    observations: Mapping[str, Observation] = field(default_factory=dict)
    list_words: Mapping[str, ListWord] = field(default_factory=dict)
    contradicting: Sequence[str] = ()
    missing: int = 0
    unfound: int = 0
    left: int = 0
    is_in_arrears: bool = False
    error: str = ""

    @property
    def signed(self) -> int:
        return sum(len(items) for items in self.ours.values())

    @property
    def has_unseen(self) -> bool:
        return any(observation.is_gone for observation in self.observations.values())


def scan_account(work: ReconcileWork) -> Seen:
    """Never raises NovitaError: what could not be read stays unknown."""
    client = client_factory.client(work.permit, request_id=work.request_id)
    try:
        listing = _list(client, work)
    except NovitaError as error:
        return Seen(client.calls, error=str(error))
    pages = listing_profile.pages_of(listing, calls=len(client.calls))
    observations, open_ids = _compare(work, listing)
    missing = [each for each in open_ids if each not in listing.instances]
    observations |= _confirmed_by_a_second_list(client, work, listing, open_ids)
    open_ids = [upstream_id for upstream_id in open_ids if upstream_id not in observations]
    observations |= _get_each(client, work, open_ids)
    return Seen(
        client.calls,
        is_complete=listing.is_complete,
        pages=pages,
        listed=len(listing.instances),
        ours=_signed(work.signer, listing),
        observations=observations,
        list_words={
            each: list_word(listing, each) for each, found in observations.items() if found.is_gone
        },
        contradicting=contradicted(
            listing, [each for each, found in observations.items() if not found.is_gone]
        ),
        missing=len(missing),
        unfound=sum(observations.get(each, Observation(None)).is_gone for each in missing),
        left=sum(upstream_id not in observations for upstream_id in open_ids),
        is_in_arrears=_is_in_arrears(client, work, observations),
    )


def _list(client: NovitaClient, work: ReconcileWork) -> Listing:
    most = min(work.permit.calls - len(client.calls) - 1, work.pages + 2)
    return client.list_all_instances(page_size=listing_profile.PAGE_SIZE, max_pages=max(most, 1))


def _confirmed_by_a_second_list(
    client: NovitaClient, work: ReconcileWork, first: Listing, open_ids: Sequence[str]
) -> dict[str, Observation]:
    """Observations of many GPUs that changed at once, if two lists show the same.

    Saves gets by id in an outage or after a lack of money. A GPU that neither list shows is not
    concluded to be gone.
    """
    moved = [upstream_id for upstream_id in open_ids if upstream_id in first.instances]
    if len(moved) <= FEW:
        return {}
    try:
        second = _list(client, work).instances
    except NovitaError:
        return {}
    return {
        each: Observation(second[each])
        for each in moved
        if each in second
        and second[each].status == first.instances[each].status
        and not second[each].is_gone_word
    }


def _is_in_arrears(
    client: NovitaClient, work: ReconcileWork, observations: Mapping[str, Observation]
) -> bool:
    """Whether the balance is used up; asked only if a running GPU stopped without an error.

    Novita shows `freezing` only briefly. A spot reclaim, known from the row's history, has
    priority.
    """
    running = {held.upstream_id for held in work.held if held.expected == "running"}
    seen = [observation.seen for each, observation in observations.items() if each in running]
    if not any(item is not None and item.is_stopped and not item.failure_reason for item in seen):
        return False
    try:
        return client.get_balance().available_e5_usd <= 0
    except NovitaError:
        return False


def _compare(work: ReconcileWork, listing: Listing) -> tuple[dict[str, Observation], list[str]]:
    """Observations of GPUs that the list shows as expected, and the ids of all others."""
    observations: dict[str, Observation] = {}
    open_ids: list[str] = []
    for held in work.held:
        seen = listing.instances.get(held.upstream_id)
        if seen is not None and held.expected in ("", seen.status) and not seen.is_gone_word:
            observations[held.upstream_id] = Observation(seen)
        else:
            open_ids.append(held.upstream_id)
    return observations, open_ids


def _get_each(
    client: NovitaClient, work: ReconcileWork, upstream_ids: Sequence[str]
) -> dict[str, Observation]:
    """Gets by id, as the permit allows. Only these may change rows: lists are out of date."""
    found: dict[str, Observation] = {}
    for upstream_id in upstream_ids[: max(work.permit.calls - len(client.calls), 0)]:
        try:
            found[upstream_id] = Observation(client.get_instance(upstream_id), has_details=True)
        except NovitaError as error:
            evidence = evidence_of(None, error)
            if evidence != Evidence.NOTHING:
                is_refused = evidence == Evidence.REFUSED
                found[upstream_id] = Observation(None, is_refused=is_refused)
    return found


def _signed(signer: NameSigner, listing: Listing) -> dict[str, list[UpstreamInstance]]:
    found: dict[str, list[UpstreamInstance]] = {}
    for item in listing.instances.values():
        reference = signer.reference_in(item.name)
        if reference is not None and not (item.is_gone_word or item.is_leaving_word):
            found.setdefault(reference, []).append(item)
    for items in found.values():
        items.sort(key=lambda item: (not item.is_running, _age(item), item.id))
    return found


def _age(item: UpstreamInstance) -> float:
    return item.created_at.timestamp() if item.created_at else 0.0
