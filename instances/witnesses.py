"""What is known to live, against which a list is held: one that lacks it is blind."""

from collections.abc import Collection
from datetime import timedelta

from django.conf import settings

from instances.database_clock import database_now
from instances.models import Instance
from instances.novita.types import Listing

MOST = 20
SEEN_LATELY = timedelta(minutes=3)
_ALIVE = ("starting", "running", "stopping", "stopped", "migrating")


def known_to_live() -> tuple[str, ...]:
    """Upstream ids of some that Novita showed a moment ago, even if it does not show them now: when
    all of Novita is blind, looks by id fail together with the list. The newest, which a list that
    is too short leaves out.
    """
    rows = Instance.objects.holding().filter(
        upstream_account=settings.CONFIG.upstream_account,
        status__in=_ALIVE,
        upstream_seen_at__gte=database_now() - SEEN_LATELY,
    )
    return tuple(rows.order_by("-pk").values_list("upstream_id", flat=True)[:MOST])


def lacks_any(listing: Listing, known: Collection[str]) -> bool:
    """For a decision that costs money: one that is missing is enough to doubt the whole list."""
    return not {each.casefold() for each in known} <= _shown(listing)


def lacks_all(listing: Listing, known: Collection[str]) -> bool:
    return bool(known) and _shown(listing).isdisjoint(each.casefold() for each in known)


def _shown(listing: Listing) -> set[str]:
    """Ids in one case: a list may write them otherwise than a look does. What it shows as removed
    it does not show.
    """
    items = listing.instances.values()
    return {item.id.casefold() for item in items if not (item.is_gone_word or item.is_leaving_word)}
