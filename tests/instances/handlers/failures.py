"""Ways in which Novita fails a call, for the tests of creates."""

from __future__ import annotations

from instances.models import UpstreamGate
from upstream.errors import (
    AuthenticationFailed,
    BalanceNotEnough,
    EdgeAnswered,
    NovitaConnectionError,
    NovitaRefused,
    NovitaServerError,
    QuotaExceeded,
    RateLimited,
    UnreadableAnswer,
)

KEY = AuthenticationFailed("401 UNAUTHORIZED: invalid api key", status=401, reason="UNAUTHORIZED")
MONEY = BalanceNotEnough("400 BALANCE_NOT_ENOUGH: top up", status=400, reason="BALANCE_NOT_ENOUGH")
QUOTA = QuotaExceeded(
    "400 CREATE_INSTANCE_LIMIT: limit (a limit of the account, or its balance is too low)",
    status=400,
    reason="CREATE_INSTANCE_LIMIT",
)
EDGE = EdgeAnswered("something in front of Novita answered 403: an HTML page", status=403)
EDGE_WRITE = EdgeAnswered(
    "something in front of Novita answered 403: an HTML page", status=403, is_outcome_unknown=True
)
REFUSED = NovitaConnectionError("connection refused", is_sent=False, is_outcome_unknown=False)
DOWN = NovitaServerError("500", status=500)
LONG_DOWN = NovitaServerError("503", status=503, retry_after=3600)
FORM = UnreadableAnswer("200: no list", status=200)
BUSY = RateLimited("429 RATE_LIMIT_EXCEEDED", status=429, retry_after=7)
ODD = NovitaRefused("418 TEAPOT", status=418, reason="TEAPOT")


def set_free() -> None:
    """What made everybody pause is over."""
    UpstreamGate.objects.update(
        paused_until=None, creates_retry_at=None, creates_probe_until=None, reads_refused_at=None
    )
