"""Balance, bills and metrics; they have another base path and another unit of money."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

from devtools.simulator import forms
from devtools.simulator.errors import invalid
from devtools.simulator.http import Json, Request, Routes
from devtools.simulator.routes.instances import named
from devtools.simulator.shapes import unix_seconds
from devtools.simulator.world.defaults import OWNER_ID
from devtools.simulator.world.records import Instance
from devtools.simulator.world.timeline import DAY_MS, is_charged, spans
from devtools.simulator.world.world import World

CYCLE_MS = {"Hour": DAY_MS // 24, "Day": DAY_MS, "Week": 7 * DAY_MS, "Month": 30 * DAY_MS}
MAX_POINTS = 2000


def balance(world: World, now_ms: int, request: Request) -> Json:
    """In 1/10,000 USD, a tenth of the precision of prices."""
    available = forms.balance(world, world.balance.balance_e5() // 10)
    return {
        "availableBalance": available,
        "cashBalance": available,
        "creditLimit": "0",
        "outstandingInvoices": "0",
        "pendingCharges": "0",
    }


def bills(world: World, now_ms: int, request: Request) -> Json:
    """One bill per instance and cycle with a cost; by default for the last 24 hours."""
    cycle_ms = CYCLE_MS.get(request.text("cycleType") or "Hour")
    if cycle_ms is None:
        raise invalid("cycleType", f"value must be in list {list(CYCLE_MS)}")
    until_ms = min(now_ms, request.number("endTime", now_ms // 1000 + 1) * 1000)
    since_ms = request.number("startTime", (until_ms - DAY_MS) // 1000) * 1000
    since_ms = max(since_ms, world.origin_ms - world.origin_ms % cycle_ms)
    if request.text("productCategory") not in ("", "summary", "gpu"):
        return {"bills": []}
    owner = request.text("ownerId")
    everyone = [*world.gone.values(), *world.instances.values()]
    return {
        "bills": [
            bill
            for instance in everyone
            if owner in ("", instance.id)
            for bill in _instance_bills(instance, since_ms, until_ms, cycle_ms)
        ]
    }


def _instance_bills(
    instance: Instance, since_ms: int, until_ms: int, cycle_ms: int
) -> Iterator[Json]:
    first = max(since_ms, instance.created_ms)
    start_ms = first - first % cycle_ms
    while start_ms < until_ms:
        begin, end = max(start_ms, since_ms), min(start_ms + cycle_ms, until_ms)
        cost_scaled = instance.cost_scaled(begin, end - 1) if end > begin else 0
        if cost_scaled:
            yield _bill(instance, begin, end, cost_scaled // DAY_MS // 10)
        start_ms += cycle_ms


def _bill(instance: Instance, start_ms: int, end_ms: int, amount_e4: int) -> Json:
    card_ms = instance.units() * sum(
        max(0, min(end, end_ms) - max(start, start_ms))
        for phase, start, end in spans(instance.timeline, end_ms)
        if is_charged(phase)
    )
    amount, price = str(amount_e4), str(instance.price_e5)
    return {
        "userId": OWNER_ID,
        "startTime": unix_seconds(start_ms),
        "endTime": unix_seconds(end_ms),
        "billingMethod": instance.billing_mode,
        "productName": instance.product_name,
        "category": "gpu",
        "ownerID": instance.id,
        "billNum0": str(card_ms // 1000),
        "billNum1": "0",
        "basePrice0": price,
        "basePrice1": "0",
        "discountPrice0": price,
        "discountPrice1": "0",
        "amount": amount,
        "voucherAmount": "0",
        "payAmount": amount,
        "payAmountDisplay": f"{amount_e4 // 10_000}.{amount_e4 % 10_000:04d}",
        "pricePrecision": "100000",
        "productId": instance.product_id,
    }


def metrics(world: World, now_ms: int, request: Request) -> Json:
    """Points while the instance ran, about a minute late; invalid values become defaults."""
    instance, times = named(world, now_ms, request), list(_times(now_ms, request))
    times = [at for at in times if instance.created_ms <= at and instance.status(at) == "running"]
    gpus = range(instance.gpu_num)

    def series(what: str) -> list[Json]:
        return [
            {"timestamp": unix_seconds(at), "value": _value(instance, what, at)} for at in times
        ]

    def per_gpu(what: str) -> Json:
        items = [{"gpuId": str(gpu), "items": series(f"{what}{gpu}")} for gpu in gpus]
        return {"avg": series(what), "gpuIds": items}

    return {
        "cpuUtilization": series("cpu"),
        "memUtilization": series("memory"),
        "rootDiskUtilization": series("disk"),
        "gpuUtilization": per_gpu("gpu"),
        "gpuMemUtilization": per_gpu("gpu-memory"),
    }


def _times(now_ms: int, request: Request) -> Iterator[int]:
    interval = max(15, _lenient(request, "interval", 15))
    end = min(_lenient(request, "endTime", now_ms // 1000), now_ms // 1000 - 60)
    start = _lenient(request, "startTime", end - 60)
    start = max(start, end - MAX_POINTS * interval)
    for at in range(start, end + 1, interval):
        yield at * 1000


def _lenient(request: Request, name: str, default: int) -> int:
    raw = request.query.get(name, "")
    return int(raw) if raw.isascii() and raw.isdigit() and len(raw) < 12 else default


def _value(instance: Instance, what: str, at_ms: int) -> Any:
    seed = f"{instance.id}/{what}/{at_ms // 1000}".encode()
    return int.from_bytes(hashlib.blake2b(seed, digest_size=2).digest(), "big") % 10_000 / 100


ROUTES: Routes = {
    ("GET", "/billing/balance/detail"): balance,
    ("GET", "/billing/bill/list"): bills,
    ("GET", "/metrics/gpu/instance"): metrics,
}
