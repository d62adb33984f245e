"""The records of the world: instances and products."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from devtools.simulator.world.timeline import (
    CHARGED,
    DAY_MS,
    GONE,
    Phase,
    Timeline,
    cost_scaled,
    phase_at,
)

FREE_DISK_GB = 60
DISK_E5_PER_GB_DAY = 500
"""$0.005 per GB and day above the free part, running or stopped (Novita's pricing guide)."""


@dataclass(frozen=True)
class Product:
    """A row of the catalogue; prices are without drift, in 1/100,000 USD per GPU-hour."""

    id: str
    name: str
    cpu: int
    memory_gb: int
    price_e5: int
    spot_price_e5: int
    capacity: dict[str, int]
    kind: str = "gpu"
    max_rootfs_gb: int = 6144
    billing_modes: tuple[str, ...] = ("onDemand", "monthly", "spot")
    everywhere: bool = False

    def price_for(self, mode: str) -> int:
        return self.spot_price_e5 if mode == "spot" else self.price_e5


@dataclass
class Instance:
    """All data of an instance, existing or gone; JSON-able through `vars`."""

    id: str
    uuid: str
    name: str
    kind: str
    origin: str
    product_id: str
    product_name: str
    cluster_id: str
    gpu_num: int
    cpu_num: int
    memory_gb: int
    rootfs_gb: int
    image: str
    billing_mode: str
    price_e5: int
    created_ms: int
    timeline: Timeline = field(default_factory=list)
    image_auth_id: str = ""
    command: str = ""
    entrypoint: str = ""
    ports: list[list[Any]] = field(default_factory=list)
    tools: list[dict[str, str]] = field(default_factory=list)
    envs: list[dict[str, str]] = field(default_factory=list)
    storages: list[dict[str, str]] = field(default_factory=list)
    network_id: str = ""
    image_auth: str = ""
    auto_renew: bool = False
    auto_renew_month: int = 1
    auto_migrate: bool = False
    auto_migrate_disk: bool = False
    moves: int = 0
    """Number of moves to another node; each one changes addresses and passwords."""
    end_ms: int = -1
    charges: list[list[int]] = field(default_factory=list)
    """One-off charges (subscriptions): [time in ms, 1/100,000 USD]."""
    errors: list[list[Any]] = field(default_factory=list)
    """Values of `statusError`, each from a time on: [ms, state, message]."""
    spot: list[list[Any]] = field(default_factory=list)
    """Values of `spotStatus`, each from a time on: [ms, word, reclaim time in ms]."""

    @classmethod
    def load(cls, body: dict[str, Any]) -> Instance:
        timeline = [Phase(*phase) for phase in body.pop("timeline")]
        return cls(timeline=timeline, **body)

    def phase(self, now_ms: int) -> Phase:
        return phase_at(self.timeline, now_ms)

    def status(self, now_ms: int) -> str:
        return self.phase(now_ms).status

    def is_gone(self, now_ms: int) -> bool:
        return self.status(now_ms) == GONE

    def error(self, now_ms: int) -> tuple[str, str]:
        """State and message of the present failure; both empty if there is none."""
        begun = [entry for entry in self.errors if entry[0] <= now_ms]
        return (begun[-1][1], begun[-1][2]) if begun else ("", "")

    def spot_state(self, now_ms: int) -> tuple[str, int]:
        """Word and time of the reclaim (0: none is planned); ("", 0) if it is no spot instance."""
        begun = [entry for entry in self.spot if entry[0] <= now_ms]
        return (begun[-1][1], begun[-1][2]) if begun else ("", 0)

    def rate_e5_day(self, status: str) -> int:
        """The cost of a day in this status: disk always, GPUs while charged and not prepaid."""
        if status in ("removed", "removing", "toRemove", GONE):
            return 0
        disk = max(0, self.rootfs_gb - FREE_DISK_GB) * DISK_E5_PER_GB_DAY
        if status not in CHARGED or self.billing_mode == "monthly":
            return disk
        return disk + self.price_e5 * (self.gpu_num or 1) * 24

    def cost_scaled(self, since_ms: int, until_ms: int) -> int:
        """Exact charges between two instants in 1/100,000 USD times DAY_MS."""
        once = sum(e5 for at_ms, e5 in self.charges if since_ms <= at_ms <= until_ms)
        return cost_scaled(self.timeline, since_ms, until_ms) + once * DAY_MS

    def units(self) -> int:
        """The stock that it uses: its GPUs, or 1 for a CPU instance."""
        return self.gpu_num or 1
