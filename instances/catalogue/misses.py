"""Shared memory of what Novita does not have: templates, and searches for unknown products.

In the cache of all processes, whose number of entries is limited; entries expire by themselves.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from django.conf import settings
from django.core.cache import cache

from core.clock import database_now
from instances.domain.types import Failure
from upstream.types import Product

# Short: a missing template may be created at any time.
FAILURE_SECONDS = 10
# One search for an unknown product answers for all unknown names for this long.
SEARCH_SECONDS = 10


@dataclass(frozen=True, slots=True)
class Search:
    """Names and places of all products, read because a name was not in a fresh list.

    ``is_recent``: the list was read again with it, less than SEARCH_SECONDS ago.
    """

    sold: Sequence[tuple[str, Sequence[str]]]
    is_recent: bool


def keep_template_failure(template_id: str, failure: Failure) -> None:
    """Save for FAILURE_SECONDS why a template cannot be used."""
    cache.set(_failure_key(template_id), [failure.code, failure.message], FAILURE_SECONDS)


def template_failure(template_id: str) -> Failure | None:
    """Why the template could not be used a moment ago."""
    kept = cache.get(_failure_key(template_id))
    return Failure(*kept) if kept else None


def keep_search(cluster_id: str, billing_mode: str, found: Sequence[Product]) -> None:
    """Save where products are sold, beside the list of this cluster and mode."""
    sold = sorted({(product.name, product.regions) for product in found})
    kept = [database_now().timestamp(), sold]
    cache.set(_search_key(cluster_id, billing_mode), kept, settings.CONFIG.catalogue_ttl)


def last_search(cluster_id: str, billing_mode: str) -> Search | None:
    """The last search for a product that this cluster and mode lack."""
    kept = cache.get(_search_key(cluster_id, billing_mode))
    if not kept:
        return None
    at, sold = kept
    return Search(sold, at > database_now().timestamp() - SEARCH_SECONDS)


def _search_key(cluster_id: str, billing_mode: str) -> str:
    asked = f"{settings.CONFIG.upstream_account}:{cluster_id}:{billing_mode}".encode()
    return f"product-search:{hashlib.sha256(asked).hexdigest()}"


def _failure_key(template_id: str) -> str:
    """Cache key of limited length for ids of any length."""
    asked = f"{settings.CONFIG.upstream_account}:{template_id}".encode()
    return f"template-failure:{hashlib.sha256(asked).hexdigest()}"
