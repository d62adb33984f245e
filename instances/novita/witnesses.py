"""Witnesses: instances known to live; a list that lacks them is incomplete and proves nothing."""

from collections.abc import Collection

from django.conf import settings

from instances.models import Instance
from upstream.types import Listing

MOST = 20
_ALIVE = ("starting", "running", "stopping", "stopped", "migrating")


def known_to_live() -> tuple[str, ...]:
    """Ids at Novita of the newest held instances, at most MOST.

    Novita has shown each of them or accepted its create, however long ago, and none was concluded
    to be gone.
    """
    rows = Instance.objects.holding().filter(
        upstream_account=settings.CONFIG.upstream_account, status__in=_ALIVE
    )
    return tuple(rows.order_by("-pk").values_list("upstream_id", flat=True)[:MOST])


def lacks_any(listing: Listing, known: Collection[str]) -> bool:
    """Whether any witness is missing; strict, for decisions that cost money."""
    return not {each.casefold() for each in known} <= _shown(listing)


def lacks_all(listing: Listing, known: Collection[str]) -> bool:
    return bool(known) and _shown(listing).isdisjoint(each.casefold() for each in known)


def _shown(listing: Listing) -> set[str]:
    """Ids in the list, casefolded (lists may write them differently), without removed instances."""
    items = listing.instances.values()
    return {item.id.casefold() for item in items if not (item.is_gone_word or item.is_leaving_word)}
