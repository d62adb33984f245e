"""Stock: GPUs free per product and cluster, and the overrides a test lays over them."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any

from devtools.simulator.world.records import Product

ANY = "*"


@dataclass
class StockRule:
    """An override; `*` matches everything, later rules win field by field.

    A hidden rule binds creates and starts only: the catalogue goes on showing the old figure,
    which is how an offer vanishes (or a price rises) between reading and buying.
    """

    product_id: str = ANY
    cluster_id: str = ANY
    billing_mode: str = ANY
    free: int | None = None
    price_e5: int | None = None
    spot_price_e5: int | None = None
    hidden: bool = False
    times: int | None = None
    """How many purchases it still binds; None for all."""

    def matches(self, product_id: str, cluster_id: str, mode: str) -> bool:
        return all(
            mine in (ANY, theirs)
            for mine, theirs in (
                (self.product_id, product_id),
                (self.cluster_id, cluster_id),
                (self.billing_mode, mode),
            )
        )

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


class Stock:
    """Counts what instances hold; what is left of the capacity is free."""

    def __init__(self, rules: list[StockRule]) -> None:
        self.rules = rules
        self._held: Counter[tuple[str, str]] = Counter()

    def hold(self, product_id: str, cluster_id: str, change: int) -> None:
        self._held[product_id, cluster_id] += change

    def free(self, product: Product, cluster_id: str, mode: str, *, buying: bool = False) -> int:
        """Free units; `buying` also obeys the hidden rules."""
        if cluster_id not in product.capacity:
            return 0
        free = product.capacity[cluster_id] - self._held[product.id, cluster_id]
        for rule in self._rules(product.id, cluster_id, mode, buying=buying):
            if rule.free is not None:
                free = rule.free
        return max(0, free)

    def price_override(self, product_id: str, mode: str, *, buying: bool) -> int | None:
        """The price a rule sets in this billing mode, for all clusters alike."""
        price: int | None = None
        for rule in self._rules(product_id, ANY, mode, buying=buying):
            ruled = rule.spot_price_e5 if mode == "spot" else rule.price_e5
            price = price if ruled is None else ruled
        return price

    def spend(self, product_id: str, cluster_id: str, mode: str) -> bool:
        """Count one purchase attempt against the limited rules; says whether any ran down."""
        limited = [
            rule
            for rule in self.rules
            if rule.times is not None and rule.matches(product_id, cluster_id, mode)
        ]
        for rule in limited:
            rule.times = (rule.times or 0) - 1
        self.rules = [rule for rule in self.rules if rule.times is None or rule.times > 0]
        return bool(limited)

    def _rules(
        self, product_id: str, cluster_id: str, mode: str, *, buying: bool
    ) -> list[StockRule]:
        return [
            rule
            for rule in self.rules
            if (buying or not rule.hidden) and rule.matches(product_id, cluster_id, mode)
        ]
