"""Prices: Novita's integers in 1/100,000 USD, and this API's decimal strings in USD."""

from decimal import Decimal

E5 = 100_000


def usd_text(amount_e5_usd: int) -> str:
    """Decimal string in USD with at least two decimals: 35000 gives "0.35"."""
    whole, fraction = divmod(abs(amount_e5_usd), E5)
    sign = "-" if amount_e5_usd < 0 else ""
    digits = f"{fraction:05d}".rstrip("0").ljust(2, "0")
    return f"{sign}{whole}.{digits}"


def cost_e5_usd(price_e5_usd_per_gpu_hour: int, gpu_num: int, seconds: int) -> int:
    """Unit price x seconds x GPUs (Novita's billing guide), rounded up to 1/100,000 USD."""
    total = Decimal(price_e5_usd_per_gpu_hour) * gpu_num * max(seconds, 0) / 3600
    return int(total.to_integral_value(rounding="ROUND_CEILING"))
