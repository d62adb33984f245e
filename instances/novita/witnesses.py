"""What is known to live, against which a list is held: one that lacks it is blind."""

from collections.abc import Collection

from django.conf import settings

from instances.models import Instance
from upstream.types import Listing

MOST = 20
_ALIVE = ("starting", "running", "stopping", "stopped", "migrating")


def known_to_live() -> tuple[str, ...]:
    """Upstream ids of the newest that are held: Novita has shown them or taken their create, and
    they are not concluded to be gone. However long ago that was: a blindness may last.
    """
    rows = Instance.objects.holding().filter(
        upstream_account=settings.CONFIG.upstream_account, status__in=_ALIVE
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
