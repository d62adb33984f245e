"""Stock: free GPUs per product and cluster, and the overrides of a test."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any

from devtools.simulator.world.records import Product

ANY = "*"


@dataclass
class StockRule:
    """An override; `*` matches everything, later rules have precedence field by field.

    A hidden rule applies only to creates and starts; the catalogue still shows the old value. So an
    offer vanishes (or a price rises) between reading and buying.
    """

    product_id: str = ANY
    cluster_id: str = ANY
    billing_mode: str = ANY
    free: int | None = None
    price_e5: int | None = None
    spot_price_e5: int | None = None
    hidden: bool = False
    times: int | None = None
    """Number of purchase attempts it still applies to; None for all."""

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
    """Counts the GPUs that instances hold; the rest of the capacity is free."""

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
        """The price that a rule sets for this billing mode, in all clusters."""
        price: int | None = None
        for rule in self._rules(product_id, ANY, mode, buying=buying):
            ruled = rule.spot_price_e5 if mode == "spot" else rule.price_e5
            price = price if ruled is None else ruled
        return price

    def spend(self, product_id: str, cluster_id: str, mode: str) -> bool:
        """Count one purchase attempt for rules with `times`; True if there were any."""
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
