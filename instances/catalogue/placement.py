"""Ranks the offers for a request and explains rejections. Pure: no database, no network."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from instances.catalogue.place_names import Place
from instances.domain.enums import BillingMode, RejectionCode
from instances.domain.money import usd_text
from instances.domain.types import InstanceRequest
from upstream.types import Product

_NO_PRICE = 1 << 62
SOLD_OUT = "sold out"
ABOVE_CAP = "above the price cap"


@dataclass(frozen=True, slots=True)
class Offer:
    """A product that fits, with its price in the requested mode (1/100,000 USD per GPU-hour)."""

    product_id: str
    product_name: str
    price_e5_usd: int
    on_demand_price_e5_usd: int | None


@dataclass(frozen=True, slots=True)
class Rejection:
    """A product with the requested name that does not fit: the reason as a sentence and a code."""

    product_id: str
    reason: str
    code: RejectionCode = RejectionCode.REFUSED


@dataclass(frozen=True, slots=True)
class Ranking:
    """Offers, best first, and the rejected products of the same name."""

    offers: tuple[Offer, ...]
    rejections: tuple[Rejection, ...]

    @property
    def is_name_known(self) -> bool:
        return bool(self.offers or self.rejections)


def rank(
    products: Iterable[Product],
    spec: InstanceRequest,
    *,
    place: Place,
    refused: Iterable[tuple[str, str]] = (),
) -> Ranking:
    """Order: cheapest in the requested mode, then cheapest on demand, then by id.

    ``place`` is the region's cluster; ``refused`` are product ids that Novita has refused for this
    request, with the reason.
    """
    turned_down = dict(refused)
    offers: list[Offer] = []
    rejections: list[Rejection] = []
    for product in products:
        if not is_same_name(product.name, spec.product_name):
            continue
        rejection = _rejection(product, spec, place, turned_down.get(product.id))
        price = _price(product, spec.billing_mode)
        if rejection is None and price is not None:
            offers.append(Offer(product.id, product.name, price, product.on_demand_price_e5_usd))
        else:
            rejections.append(rejection or Rejection(product.id, "has no price"))
    offers.sort(key=_order)
    return Ranking(tuple(offers), tuple(rejections))


def _order(offer: Offer) -> tuple[int, int, str]:
    on_demand = offer.on_demand_price_e5_usd
    return offer.price_e5_usd, _NO_PRICE if on_demand is None else on_demand, offer.product_id


def _rejection(
    product: Product, spec: InstanceRequest, place: Place, refusal: str | None
) -> Rejection | None:
    if refusal:
        return Rejection(product.id, refusal)
    misfit = _misfit(product, spec, place)
    return None if misfit is None else Rejection(product.id, misfit[1], misfit[0])


def _misfit(
    product: Product, spec: InstanceRequest, place: Place
) -> tuple[RejectionCode, str] | None:
    mode = spec.billing_mode
    if place.is_surely_not(product.regions):
        return RejectionCode.NOT_IN_REGION, f"not sold in {place.cluster.name}"
    unreadable = product.unreadable_price(is_spot=mode == BillingMode.SPOT)
    if unreadable is not None:
        words = f"its price cannot be read: Novita says {unreadable!r}"
        return RejectionCode.NOT_IN_BILLING_MODE, words
    if mode not in product.billing_modes or _price(product, mode) is None:
        return RejectionCode.NOT_IN_BILLING_MODE, f"not offered as {mode}"
    if not product.available_deploy:
        return RejectionCode.SOLD_OUT, SOLD_OUT
    if (reason := above_cap(_price(product, mode), spec)) is not None:
        return RejectionCode.PRICE_ABOVE_CAP, reason
    if spec.rootfs_size_gb < product.min_rootfs_gb:
        least = product.min_rootfs_gb
        return RejectionCode.ROOTFS_SIZE, f"needs at least {least} GB of root disk"
    if product.max_rootfs_gb is not None and spec.rootfs_size_gb > product.max_rootfs_gb:
        most = product.max_rootfs_gb
        return RejectionCode.ROOTFS_SIZE, f"allows at most {most} GB of root disk"
    return None


def above_cap(price_e5_usd: int | None, spec: InstanceRequest) -> str | None:
    """The reason, if this price per GPU-hour exceeds the request's price cap for all GPUs."""
    cap = spec.max_price_per_hour_e5_usd
    if cap is None or price_e5_usd is None or price_e5_usd * spec.gpu_num <= cap:
        return None
    total = usd_text(price_e5_usd * spec.gpu_num)
    return f"{ABOVE_CAP}: {total} USD an hour; at most {usd_text(cap)} is allowed"


def price_in(products: Iterable[Product], product_id: str, mode: str) -> int | None:
    """Price of a product in a fresh list, by its id; None if it is no longer offered."""
    found = (_price(item, mode) for item in products if item.id == product_id)
    return next(found, None)


def _price(product: Product, mode: str) -> int | None:
    if mode == BillingMode.SPOT:
        return product.spot_price_e5_usd
    return product.on_demand_price_e5_usd


def is_same_name(one: str, other: str) -> bool:
    """Equal, ignoring case and repeated spaces."""
    return one.split() == other.split() or one.casefold().split() == other.casefold().split()


def explain(ranking: Ranking, spec: InstanceRequest) -> dict[str, Any]:
    """JSON for callers and operators: the chosen offer, alternatives, rejections."""
    best = ranking.offers[0]
    others = len(ranking.offers) - 1
    beaten = f"cheapest of {others + 1} offers" if others else "the only offer"
    return {
        "reason": f"{beaten} for {spec.product_name} as {spec.billing_mode} in {spec.region}",
        "chosen": _offer_json(best),
        "alternatives": [_offer_json(offer) for offer in ranking.offers[1:6]],
        "rejected": [
            {"productId": item.product_id, "reason": item.reason}
            for item in ranking.rejections[:10]
        ],
    }


def _offer_json(offer: Offer) -> dict[str, str]:
    return {
        "productId": offer.product_id,
        "pricePerGpuHourUsd": usd_text(offer.price_e5_usd),
    }
