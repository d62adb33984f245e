"""Cache of the catalogue: clusters, products and templates, with the time of their last read."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.core.cache import cache
from django.db import transaction
from django.db.models.functions import Now

from core.clock import database_now
from core.sealing import Unreadable
from instances.catalogue import misses
from instances.catalogue.place_names import Place
from instances.catalogue.regions import cluster_for, place_of
from instances.domain.types import Failure
from instances.models import CachedProduct, CachedTemplate, Cluster, ListedTemplate
from instances.novita import metric_counters
from upstream import types as novita
from upstream.vocabulary import UnknownValue

FETCH_SECONDS = 5


class CatalogueReader:
    """The catalogue for one batch of jobs: loads each entry once, counts hits and misses."""

    def __init__(self) -> None:
        self._oldest = database_now() - timedelta(seconds=settings.CONFIG.catalogue_ttl)
        self._clusters: list[novita.Cluster] | None = None
        self._products: dict[tuple[str, str], list[novita.Product]] = {}
        self._templates: dict[str, novita.Template | None] = {}
        self._failures: dict[str, Failure | None] = {}
        self._anywhere: Sequence[tuple[str, Sequence[str]]] | None = None
        self._searches: dict[tuple[str, str], misses.Search | None] = {}
        self._counts: dict[metric_counters.Key, Decimal] = defaultdict(Decimal)

    def cluster(self, region: str) -> novita.Cluster | None:
        """Novita's cluster for a region, if it was ever listed."""
        place = self.place(region)
        return None if place is None else place.cluster

    def place(self, region: str) -> Place | None:
        """The region's cluster with all listed clusters."""
        if self._clusters is None:
            rows = Cluster.objects.filter(account=settings.CONFIG.upstream_account)
            self._clusters = [novita.Cluster(row.cluster_id, row.name) for row in rows]
        cluster = cluster_for(region, self._clusters)
        return None if cluster is None else place_of(cluster, self._clusters)

    def products(self, cluster_id: str, billing_mode: str) -> list[novita.Product]:
        """Fresh products of a cluster and mode; empty if they must be read from Novita."""
        key = (cluster_id, billing_mode)
        if key not in self._products:
            rows = CachedProduct.objects.filter(
                account=settings.CONFIG.upstream_account,
                cluster_id=cluster_id,
                billing_mode=billing_mode,
                fetched_at__gte=self._oldest,
            )
            self._products[key] = [product_of(row) for row in rows]
        self._count("products", is_hit=bool(self._products[key]))
        return self._products[key]

    def template(self, template_id: str) -> novita.Template | None:
        """A fresh template by id; None if it must be read from Novita."""
        if template_id not in self._templates:
            row = CachedTemplate.objects.filter(
                account=settings.CONFIG.upstream_account,
                template_id=template_id,
                fetched_at__gte=self._oldest,
            ).first()
            self._templates[template_id] = _template(row) if row else None
        template = self._templates[template_id]
        self._count("templates", is_hit=template is not None)
        return template

    def template_failure(self, template_id: str) -> Failure | None:
        """Why the template could not be used a moment ago."""
        if template_id not in self._failures:
            self._failures[template_id] = misses.template_failure(template_id)
        return self._failures[template_id]

    def search(self, cluster_id: str, billing_mode: str) -> misses.Search | None:
        """The last search for a product that this cluster and mode lack."""
        key = (cluster_id, billing_mode)
        if key not in self._searches:
            self._searches[key] = misses.last_search(*key)
        return self._searches[key]

    def listed_anywhere(self) -> Sequence[tuple[str, Sequence[str]]]:
        """Names and places of the products of all regions and modes, however old."""
        if self._anywhere is None:
            rows = CachedProduct.objects.filter(account=settings.CONFIG.upstream_account)
            named = rows.values_list("name", "data__regions")
            self._anywhere = [(name, places or ()) for name, places in named]
        return self._anywhere

    def record_usage(self) -> None:
        """Save the hits and misses, once for the batch."""
        metric_counters.add(self._counts)
        self._counts.clear()

    def _count(self, what: str, *, is_hit: bool) -> None:
        result = "hit" if is_hit else "miss"
        self._counts[metric_counters.key("catalogue_cache_total", cache=what, result=result)] += 1


def keep_clusters(clusters: Sequence[novita.Cluster]) -> None:
    """Replace all clusters, so that no region is looked for in a cluster that is gone.

    An empty list, which may be a failed one, changes nothing.
    """
    if not clusters:
        return
    rows = [
        Cluster(
            account=settings.CONFIG.upstream_account,
            cluster_id=cluster.id,
            name=cluster.name,
            fetched_at=Now(),
        )
        for cluster in sorted(clusters, key=lambda cluster: cluster.id)
    ]
    with transaction.atomic():
        Cluster.objects.filter(account=settings.CONFIG.upstream_account).exclude(
            cluster_id__in=[cluster.id for cluster in clusters]
        ).delete()
        Cluster.objects.bulk_create(
            rows,
            update_conflicts=True,
            unique_fields=["account", "cluster_id"],
            update_fields=["name", "fetched_at"],
        )


def keep_products(cluster_id: str, billing_mode: str, products: Sequence[novita.Product]) -> None:
    """Replace the products of a cluster and mode: a product that is not listed is not sold."""
    account = settings.CONFIG.upstream_account
    rows = [
        CachedProduct(
            account=account,
            cluster_id=cluster_id,
            billing_mode=billing_mode,
            product_id=product.id,
            name=product.name,
            is_available=product.available_deploy,
            inventory_state=product.inventory_state,
            on_demand_price_e5_usd=product.on_demand_price_e5_usd,
            spot_price_e5_usd=product.spot_price_e5_usd,
            data=_as_json(product),
            extra={"unknown_values": [asdict(each) for each in product.unknown_values]},
            fetched_at=Now(),
        )
        for product in sorted(products, key=lambda product: product.id)
    ]
    fields = [f.name for f in CachedProduct._meta.fields if f.name not in ("id", *_PRODUCT_KEY)]
    with transaction.atomic():
        CachedProduct.objects.filter(
            account=account, cluster_id=cluster_id, billing_mode=billing_mode
        ).exclude(product_id__in=[product.id for product in products]).delete()
        CachedProduct.objects.bulk_create(
            rows, update_conflicts=True, unique_fields=_PRODUCT_KEY, update_fields=fields
        )


def keep_template(template_id: str, template: novita.Template) -> None:
    """Save a template, sealed for its env values and registry credentials."""
    CachedTemplate.objects.update_or_create(
        account=settings.CONFIG.upstream_account,
        template_id=template_id,
        defaults={"name": template.name, "data": _as_json(template), "fetched_at": Now()},
    )


def known_template(template_id: str) -> novita.Template | Failure | None:
    """A template as a create would find it, or the failure; None if a create would ask Novita."""
    found = CatalogueReader().template(template_id)
    if found is not None:
        return found
    return misses.template_failure(template_id)


def is_template_known(template_id: str) -> bool:
    """Whether Novita has listed or returned the template, however long ago."""
    wanted = {"account": settings.CONFIG.upstream_account, "template_id": template_id}
    return any(
        model.objects.filter(**wanted).exists() for model in (CachedTemplate, ListedTemplate)
    )


def claim_fetch(what: str) -> bool:
    """Whether this caller is to ask Novita; others wait until the cache has the answer."""
    key = f"fetch:{settings.CONFIG.upstream_account}:{what}"
    return bool(cache.add(key, 1, timeout=FETCH_SECONDS))


def release_fetch(what: str) -> None:
    cache.delete(f"fetch:{settings.CONFIG.upstream_account}:{what}")


_PRODUCT_KEY = ["account", "cluster_id", "billing_mode", "product_id"]


def _as_json(value: Any) -> dict[str, Any]:
    """JSON without the fields that the previous release cannot read: it rejects unknown ones."""
    fields = asdict(value)
    fields.pop("unknown_values")
    return {key: sorted(v) if isinstance(v, frozenset) else v for key, v in fields.items()}


def product_of(row: CachedProduct) -> novita.Product:
    """The parsed product of a cache row."""
    unknown = row.extra.get("unknown_values", ())
    return novita.Product(
        **{
            **row.data,
            "regions": tuple(row.data["regions"]),
            "billing_modes": frozenset(row.data["billing_modes"]),
            "unknown_values": tuple(UnknownValue(**each) for each in unknown),
        }
    )


def _template(row: CachedTemplate) -> novita.Template | None:
    """The template of a cache row; None if its key is no longer configured."""
    try:
        data = row.data
    except Unreadable:
        return None
    return novita.Template(
        **{
            **data,
            "ports": tuple(novita.TemplatePort(**port) for port in data["ports"]),
            "envs": tuple(novita.EnvVar(**env) for env in data["envs"]),
            "tools": tuple(novita.Tool(**tool) for tool in data["tools"]),
            "unused": tuple(data.get("unused", ())),
        }
    )
