"""Failures of wishes for products that Novita does not sell, there or at all."""

from collections.abc import Iterable, Sequence

from instances.catalogue.cache import CatalogueReader
from instances.catalogue.place_names import Place
from instances.catalogue.placement import is_same_name
from instances.domain.enums import FailureCode
from instances.domain.types import Failure
from instances.models import Instance
from upstream.types import Product

Sold = Sequence[tuple[str, Sequence[str]]]


def has(products: Iterable[Product], name: str) -> bool:
    return any(is_same_name(product.name, name) for product in products)


def sold(products: Iterable[Product]) -> Sold:
    return [(product.name, product.regions) for product in products]


def not_sold_by_cache(instance: Instance, place: Place, reader: CatalogueReader) -> Failure:
    """Failure without a call, for a product that the region's fresh list lacks."""
    search = reader.search(place.cluster.id, instance.billing_mode)
    elsewhere = [*(search.sold if search else ()), *reader.listed_anywhere()]
    return not_sold(
        elsewhere,
        name=instance.product_name,
        as_what=f"{instance.billing_mode} in {instance.region} ({place.cluster.name})",
    )


def not_sold(elsewhere: Sold, *, name: str, as_what: str) -> Failure:
    """Failure: unknown product, or sold elsewhere."""
    known = [places for each, places in elsewhere if is_same_name(each, name)]
    if not known:
        return Failure(FailureCode.PRODUCT_NOT_FOUND, f"Novita has no product named {name}.")
    listed = sorted({place for places in known for place in places}) or ["no region"]
    message = f"{name} is not sold as {as_what}; it is listed for {', '.join(listed)}."
    return Failure(FailureCode.NO_OPTIMAL_PRODUCT, message)
