"""Reads the cached catalogue for callers: the last listed state, however old, with its time."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Max
from django.db.models.functions import Now

from accounts.models import Project
from core.clock import database_now
from instances.catalogue.allowed_templates import may_use
from instances.catalogue.cache import product_of
from instances.catalogue.place_names import Place
from instances.catalogue.regions import cluster_for
from instances.domain.enums import BillingMode
from instances.models import CachedProduct, Cluster, ListedTemplate
from upstream import types as novita


@dataclass(frozen=True, slots=True)
class Region:
    """A region code of this API and its cluster, if Novita lists that cluster."""

    code: str
    cluster: novita.Cluster | None
    listed: tuple[novita.Cluster, ...] = ()

    @property
    def place(self) -> Place | None:
        """The region's cluster with all listed clusters."""
        return None if self.cluster is None else Place(self.cluster, self.listed)


@dataclass(frozen=True, slots=True)
class RegionalProduct:
    """A product in a region, as listed there for each billing mode."""

    region: str
    listed: dict[str, novita.Product]

    @property
    def product(self) -> novita.Product:
        return next(iter(self.listed.values()))

    def price_e5_usd(self, mode: str) -> int | None:
        """Price of a GPU for an hour; None if the product is not offered in that mode."""
        product = self.listed.get(mode)
        if product is None or mode not in product.billing_modes:
            return None
        is_spot = mode == BillingMode.SPOT
        return product.spot_price_e5_usd if is_spot else product.on_demand_price_e5_usd

    def is_available(self, mode: str) -> bool:
        return self.price_e5_usd(mode) is not None and self.listed[mode].available_deploy


@dataclass(frozen=True, slots=True)
class ProductListing:
    """Products, and the time of the oldest list behind them; None if there is none."""

    products: Sequence[RegionalProduct]
    as_of: datetime | None


def regions() -> tuple[Sequence[Region], datetime | None]:
    """All configured regions, and when Novita's clusters were last read."""
    rows = list(Cluster.objects.filter(account=settings.CONFIG.upstream_account))
    clusters = [novita.Cluster(row.cluster_id, row.name) for row in rows]
    found = [
        Region(code, cluster_for(code, clusters), tuple(clusters))
        for code in settings.CONFIG.regions
    ]
    return found, min((row.fetched_at for row in rows), default=None)


def product_listing(codes: Iterable[str] | None = None) -> ProductListing:
    """Products sold in these regions (None: in all), in the order of regions and product ids."""
    wanted = None if codes is None else set(codes)
    places = [
        (region.code, region.place)
        for region in regions()[0]
        if region.place and (wanted is None or region.code in wanted)
    ]
    rows = CachedProduct.objects.filter(
        account=settings.CONFIG.upstream_account,
        cluster_id__in={place.cluster.id for _, place in places},
    ).order_by("product_id", "-billing_mode")
    by_cluster: dict[str, dict[str, dict[str, novita.Product]]] = {}
    for row in rows:
        listed_here = by_cluster.setdefault(row.cluster_id, {})
        listed_here.setdefault(row.product_id, {})[row.billing_mode] = product_of(row)
    products = [
        RegionalProduct(code, listed)
        for code, place in places
        for listed in by_cluster.get(place.cluster.id, {}).values()
        if _is_sold_in(place, listed)
    ]
    return ProductListing(products, min((row.fetched_at for row in rows), default=None))


def products_of(
    cluster_id: str, billing_mode: str
) -> tuple[Sequence[novita.Product], datetime | None]:
    """Products from which a create would choose, however old, and when they were listed."""
    rows = list(
        CachedProduct.objects.filter(
            account=settings.CONFIG.upstream_account,
            cluster_id=cluster_id,
            billing_mode=billing_mode,
        )
    )
    as_of = min((row.fetched_at for row in rows), default=None)
    return [product_of(row) for row in rows], as_of


def _is_sold_in(place: Place, listed: dict[str, novita.Product]) -> bool:
    """Whether placement would accept the product's place in any billing mode."""
    return not all(place.is_surely_not(product.regions) for product in listed.values())


def templates(project: Project) -> tuple[Sequence[ListedTemplate], datetime | None]:
    """Templates that the project may use, by name, and when they were listed."""
    rows = ListedTemplate.objects.filter(account=settings.CONFIG.upstream_account)
    found = list(rows.order_by("name", "template_id"))
    as_of = min((row.fetched_at for row in found), default=None)
    return [row for row in found if may_use(project, row.template_id, row.channel)], as_of


def are_templates_older_than(age: timedelta) -> bool:
    """Whether the newest listed template is older than ``age``; True if there is none."""
    rows = ListedTemplate.objects.filter(account=settings.CONFIG.upstream_account)
    latest: datetime | None = rows.aggregate(latest=Max("fetched_at"))["latest"]
    return latest is None or latest < database_now() - age


def keep_templates(listed: Sequence[novita.Template]) -> None:
    """Replace all listed templates; an empty list, which may be a failed one, changes nothing."""
    if not listed:
        return
    account = settings.CONFIG.upstream_account
    by_id = {template.id: template for template in listed}
    rows = [_row(account, by_id[template_id]) for template_id in sorted(by_id)]
    fields = [field.name for field in ListedTemplate._meta.fields]
    with transaction.atomic():
        ListedTemplate.objects.filter(account=account).exclude(template_id__in=by_id).delete()
        ListedTemplate.objects.bulk_create(
            rows,
            update_conflicts=True,
            unique_fields=["account", "template_id"],
            update_fields=[name for name in fields if name not in ("id", "account", "template_id")],
        )


def _row(account: str, template: novita.Template) -> ListedTemplate:
    return ListedTemplate(
        account=account,
        template_id=template.id,
        name=template.name[:255],
        channel=template.channel[:40],
        type=template.type[:40],
        image=template.image[:1024],
        rootfs_size_gb=max(template.rootfs_size_gb, 0),
        ports=[{"port": port.port, "type": port.type} for port in template.ports],
        min_cuda_version=template.min_cuda_version[:40],
        fetched_at=Now(),
    )
