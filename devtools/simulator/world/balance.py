"""The account's money: the deposit minus the cost of instances, kept as one running total."""

from __future__ import annotations

from devtools.simulator.world.timeline import DAY_MS


class Balance:
    """Amounts are exact: 1/100,000 USD times DAY_MS, divided only when shown."""

    def __init__(self, deposit_e5: int, now_ms: int) -> None:
        self.deposit_e5 = deposit_e5
        self.spent_scaled = 0
        self.rate_e5_day = 0
        self.accrued_until_ms = now_ms
        self.arrears_since_ms: int | None = None

    def accrue(self, until_ms: int) -> None:
        """Charge the present rate up to an instant, and note when the money ran out."""
        if until_ms <= self.accrued_until_ms:
            return
        run_out_ms = self.run_out_ms()
        self.spent_scaled += self.rate_e5_day * (until_ms - self.accrued_until_ms)
        self.accrued_until_ms = until_ms
        self._note_arrears(until_ms if run_out_ms is None else min(run_out_ms, until_ms))

    def charge(self, amount_e5: int) -> None:
        """A one-off charge, such as a subscription."""
        self.spent_scaled += amount_e5 * DAY_MS
        self._note_arrears(self.accrued_until_ms)

    def set_deposit(self, deposit_e5: int) -> None:
        self.deposit_e5 = deposit_e5
        self._note_arrears(self.accrued_until_ms)

    def balance_e5(self) -> int:
        return self._balance_scaled() // DAY_MS

    def run_out_ms(self) -> int | None:
        """When the money ran out or, at the present rate, will run out; None if never."""
        if self.arrears_since_ms is not None:
            return self.arrears_since_ms
        if self.rate_e5_day <= 0:
            return None
        return self.accrued_until_ms - (-self._balance_scaled() // self.rate_e5_day)

    def _balance_scaled(self) -> int:
        return self.deposit_e5 * DAY_MS - self.spent_scaled

    def _note_arrears(self, at_ms: int) -> None:
        if self._balance_scaled() > 0:
            self.arrears_since_ms = None
        elif self.arrears_since_ms is None:
            self.arrears_since_ms = at_ms
