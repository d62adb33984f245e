"""Bills by calendar month, bills of subscriptions, and the older calls for the balance."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime

from devtools.simulator import forms
from devtools.simulator.errors import invalid
from devtools.simulator.http import Json, Request, Routes
from devtools.simulator.routes.paging import page
from devtools.simulator.shapes import unix_seconds
from devtools.simulator.world.defaults import OWNER_ID
from devtools.simulator.world.records import Instance
from devtools.simulator.world.timeline import DAY_MS
from devtools.simulator.world.world import World

FIRST_MONTH = (2025, 10)
"""The first month with a bill (documented)."""
Month = tuple[int, int]


def monthly_bills(world: World, now_ms: int, request: Request) -> Json:
    """One bill for each month from `startMonth` (default: this month) to now."""
    this_month = _month(now_ms)
    first = max(FIRST_MONTH, _parsed(request.text("startMonth"), this_month))
    bills = [_monthly_bill(world, month, now_ms) for month in _months(first, this_month)]
    return {"data": page(world.settings, request, bills, key="page")}


def _monthly_bill(world: World, month: Month, now_ms: int) -> Json:
    """The present month is `pending`; earlier ones are `paid`, as from an account with money."""
    start_ms, end_ms = _start_ms(month), _start_ms(_following(month))
    until_ms = min(end_ms - 1, now_ms)
    scaled = sum(it.cost_scaled(start_ms, until_ms) for it in _everyone(world))
    amount, is_over = str(scaled // DAY_MS // 10), end_ms <= now_ms
    return {
        "billId": str(uuid.uuid5(uuid.NAMESPACE_OID, f"{OWNER_ID}/{month}")),
        "userId": OWNER_ID,
        "billingMonth": f"{month[0]}-{month[1]:02d}",
        "totalAmount": amount,
        "originTotalAmount": amount,
        "voucherPayAmount": "0",
        "cashPayAmount": amount if is_over else "0",
        "debtAmount": "0",
        "status": "paid" if is_over else "pending",
        "invoiceUrl": "",
        "startTime": unix_seconds(start_ms),
        "endTime": unix_seconds(end_ms - 1000),
        "repaidAmount": "0",
    }


def fixed_term_bills(world: World, now_ms: int, request: Request) -> Json:
    """One bill for each subscription bought or renewed; no pages."""
    if request.text("category") not in ("", "summary", "gpu"):
        return {"bills": []}
    since_ms = request.number("startTime") * 1000
    until_ms = request.number("endTime", now_ms // 1000 + 1) * 1000
    owner, name = request.text("ownerId"), request.text("productName").lower()
    return {
        "bills": [
            bill
            for instance in _everyone(world)
            if owner in ("", instance.id) and name in instance.product_name.lower()
            for bill in _term_bills(instance, since_ms, until_ms)
        ]
    }


def _term_bills(instance: Instance, since_ms: int, until_ms: int) -> Iterator[Json]:
    for position, (at_ms, amount_e5) in enumerate(instance.charges):
        if not since_ms <= at_ms <= until_ms:
            continue
        amount = amount_e5 // 10
        yield {
            "userId": OWNER_ID,
            "memberId": OWNER_ID,
            "startTime": unix_seconds(at_ms),
            "endTime": unix_seconds(instance.end_ms),
            "productName": instance.product_name,
            "productId": instance.product_id,
            "productCategory": "gpu",
            "ownerID": instance.id,
            "tradeMode": "monthly",
            "tradeType": "monthly_renew" if position else "monthly_new_buy",
            "billingMethod": 2,
            "basePrice": str(amount // instance.units()),
            "billNum": str(instance.units()),
            "amount": str(amount),
            "voucherAmount": "0",
            "payAmount": str(amount),
            "payAmountDisplay": f"{amount // 10_000}.{amount % 10_000:04d}",
            "pricePrecision": "1",
            "createTime": unix_seconds(at_ms),
            "cycle": "{}-{:02d}".format(*_month(at_ms)),
        }


def user(world: World, now_ms: int, request: Request) -> Json:
    """The older call: a whole number in 1/10,000 USD, and the features of the account."""
    balance = world.balance.balance_e5() // 10
    return {"credit_balance": balance, "free_trial": {}, "allow_features": ["gpu_instance"]}


def user_balance(world: World, now_ms: int, request: Request) -> Json:
    return {"availableBalance": forms.balance(world, world.balance.balance_e5() // 10)}


def _everyone(world: World) -> list[Instance]:
    return [*world.gone.values(), *world.instances.values()]


def _parsed(text: str, default: Month) -> Month:
    """Parse `2025-10`; raises VALIDATOR_PARAM for anything else."""
    if not text:
        return default
    year, _, month = text.partition("-")
    if not (year.isdecimal() and month.isdecimal() and len(text) == 7 and 1 <= int(month) <= 12):
        raise invalid("startMonth", "value does not match regex pattern")
    return int(year), int(month)


def _month(at_ms: int) -> Month:
    moment = datetime.fromtimestamp(at_ms / 1000, UTC)
    return moment.year, moment.month


def _start_ms(month: Month) -> int:
    return round(datetime(*month, 1, tzinfo=UTC).timestamp()) * 1000


def _following(month: Month) -> Month:
    return (month[0] + 1, 1) if month[1] == 12 else (month[0], month[1] + 1)


def _months(first: Month, last: Month) -> Iterator[Month]:
    month = first
    while month <= last:
        yield month
        month = _following(month)


ROUTES: Routes = {
    ("GET", "/billing/monthly/bill"): monthly_bills,
    ("GET", "/billing/bill/monthly/list"): fixed_term_bills,
}
OLDER_ROUTES: Routes = {
    ("GET", "/v3/user"): user,
    ("GET", "/v3/user/balance"): user_balance,
    ("GET", "/v3/user/monthly-bill"): monthly_bills,
    ("GET", "/v3/user/fixed-term-billing"): fixed_term_bills,
}
