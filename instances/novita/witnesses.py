"""Witnesses: instances known to live; a list that lacks them is incomplete and proves nothing."""

from collections.abc import Collection
from datetime import datetime, timedelta

from django.conf import settings

from core.clock import database_now
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


# An absence that lasted so many times ABSENCE_AFTER is trusted.
PATIENCE = 6


def has_any_vanished(since: datetime) -> bool:
    """Whether an instance was concluded to be gone after ``since`` because Novita no longer shows
    it, and for no other reason.

    If it was a witness then, Novita may be blind: its lists prove nothing while they show nothing
    else that is known to live. True for PATIENCE times ABSENCE_AFTER, since somebody may really
    have deleted it at Novita.
    """
    trusted = timedelta(seconds=settings.CONFIG.absence_after * PATIENCE)
    rows = Instance.objects.filter(
        upstream_account=settings.CONFIG.upstream_account,
        upstream_gone_at__gte=max(since, database_now() - trusted),
        absence_seen_at__isnull=False,
    )
    return rows.exists()


def lacks_any(listing: Listing, known: Collection[str]) -> bool:
    """Whether any witness is missing; strict, for decisions that cost money."""
    return not {each.casefold() for each in known} <= _shown(listing)


def lacks_all(listing: Listing, known: Collection[str]) -> bool:
    return bool(known) and _shown(listing).isdisjoint(each.casefold() for each in known)


def _shown(listing: Listing) -> set[str]:
    """Ids in the list, casefolded (lists may write them differently), without removed instances."""
    items = listing.instances.values()
    return {item.id.casefold() for item in items if not (item.is_gone_word or item.is_leaving_word)}
