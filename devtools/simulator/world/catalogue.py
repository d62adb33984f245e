"""The catalogue at the first start: products as seen in public code, and clusters by their names.

Ids, names and prices follow rows that users published; rows without a published price have a
plausible one. Prices drift with simulated time, reproducibly from the seed.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from devtools.simulator.world.records import Product

HOUR_MS = 3_600_000


@dataclass(frozen=True)
class Cluster:
    """A cluster; products refer to its `name`, instances to its `id`."""

    id: str
    name: str
    has_network_storage: bool = True
    has_networks: bool = True
    max_cuda: str = "12.8"


CLUSTERS = {
    cluster.id: cluster
    for cluster in (
        Cluster("us-ca-6", "US-CA-06 (California)"),
        Cluster("cn-hongkong-1", "CN-HK-01 (Hong Kong)"),
        Cluster("eu-gb-1", "EU-GB-01 (United Kingdom)"),
        Cluster("as-sgp-2", "AS-SGP-02 (Singapore)", has_network_storage=False),
        Cluster("as-in-1", "AS-IN-01 (India)", has_network_storage=False, has_networks=False),
        Cluster("us-ca-nas-2", "US-CA-NAS-02 (California)", max_cuda="12.4"),
        Cluster("us-dallas-nas-2", "US-01 (Dallas)", max_cuda="12.4"),
        Cluster("eu-ger-2", "EU-GER-02 (Germany)", has_network_storage=False),
    )
}

_NO_SPOT = ("onDemand", "monthly")
_ROWS = (
    Product(
        "4090.16c62g", "RTX 4090 24GB", 16, 62, 35_000, 17_500,
        {"us-ca-6": 400, "eu-gb-1": 120, "as-sgp-2": 64},
    ),
    Product("4090.16c62g.os", "RTX 4090 24GB", 16, 62, 34_000, 16_500, {"us-ca-6": 6},
            max_rootfs_gb=200),
    Product("4090.16c96g.v2", "RTX 4090 24GB", 16, 96, 36_000, 17_000,
            {"us-ca-nas-2": 96, "as-sgp-2": 40}),
    Product("4090.18c60g", "RTX 4090 24GB", 18, 60, 38_000, 19_000,
            {"cn-hongkong-1": 600, "as-in-1": 80}),
    Product("4090.16c125g.nas", "RTX 4090 24GB", 16, 125, 67_000, 0, {"us-dallas-nas-2": 32},
            billing_modes=_NO_SPOT),
    Product("26", "RTX 4090 24GB", 16, 125, 67_000, 0, {"us-dallas-nas-2": 0},
            billing_modes=_NO_SPOT),
    Product("3090.16c92g", "RTX 3090 24GB", 16, 92, 21_000, 10_500,
            {"cn-hongkong-1": 48, "as-in-1": 40, "eu-gb-1": 16}),
    Product("L40S.22c125g", "L40S 48GB", 22, 125, 55_000, 27_500,
            {"us-ca-6": 32, "eu-ger-2": 24, "cn-hongkong-1": 16}),
    Product("L40S.28c125g", "L40S 48GB", 28, 125, 58_000, 29_000, {"eu-gb-1": 24}),
    Product("A100-80GB.14c240g", "A100 SXM 80GB", 14, 240, 160_000, 80_000, {"us-ca-6": 64}),
    Product("A100-80GB.12c210g", "A100 SXM 80GB", 12, 210, 155_000, 77_500,
            {"eu-gb-1": 32, "cn-hongkong-1": 32}),
    Product("A100-40GB.12c120g", "A100-SXM4-40GB", 12, 120, 120_000, 60_000,
            {"us-ca-6": 600, "cn-hongkong-1": 200, "eu-gb-1": 200}),
    Product("A100-40GB.16c120g", "A100-SXM4-40GB", 16, 120, 128_000, 64_000,
            {"us-ca-6": 400, "eu-gb-1": 100}),
    Product("A100-40GB.12c96g.os", "A100-SXM4-40GB", 12, 96, 110_000, 52_000, {"us-ca-6": 0}),
    Product("H100-80GB.20c236g", "H100 SXM 80GB", 20, 236, 256_000, 128_000,
            {"us-ca-6": 16, "eu-gb-1": 8, "as-sgp-2": 8}),
    Product("3060.8c31g", "RTX 3060 12GB", 8, 31, 9_000, 4_500,
            dict.fromkeys(CLUSTERS, 8), everywhere=True),
    Product("cpu.4c8g", "CPU 4C8G", 4, 8, 4_000, 0, {"us-ca-6": 200, "eu-gb-1": 100},
            kind="cpu", max_rootfs_gb=500, billing_modes=_NO_SPOT),
    Product("cpu.16c32g", "CPU 16C32G", 16, 32, 15_000, 0, {"us-ca-6": 100, "cn-hongkong-1": 50},
            kind="cpu", max_rootfs_gb=500, billing_modes=_NO_SPOT),
)  # fmt: skip
PRODUCTS = {product.id: product for product in _ROWS}


def drifted_e5(price_e5: int, key: str, elapsed_ms: int, percent: int) -> int:
    """The price after some simulated time: a random walk with hourly points, zero at the start."""
    if not price_e5 or not percent:
        return price_e5
    hour, within_ms = divmod(max(0, elapsed_ms), HOUR_MS)
    before, after = _noise(key, hour), _noise(key, hour + 1)
    per_mille = before + (after - before) * within_ms // HOUR_MS
    drifted = price_e5 + price_e5 * percent * per_mille // 100_000
    return max(100, round(drifted, -2))


def _noise(key: str, hour: int) -> int:
    """A reproducible number in -1000..1000; 0 in hour 0, so that a new catalogue is exact."""
    if hour == 0:
        return 0
    digest = hashlib.blake2b(f"{key}/{hour}".encode(), digest_size=4).digest()
    return int.from_bytes(digest, "big") % 2001 - 1000
