"""F10 and F11: Novita says 429, is unavailable, flaps; offers vanish before they are bought."""

import time
from bisect import bisect_right
from typing import Any

from devtools.faults.real.processes import wait_until
from devtools.faults.real.scenario import Scenario, Trial

RATE_LIMIT = 240
WINDOW_MS = 60_000
OUTAGE_SECONDS = 10.0
# Calls until the breaker opens, plus a trial now and then, while twenty creates wait.
CALLS_IN_AN_OUTAGE = 25
# Calls that were sent, or permitted, before the answer 429 was read; more on a busy machine.
IN_FLIGHT_MS = 1000
DEFAULT_PAUSE_SECONDS = 5.0
RETRY_AFTER_SECONDS = 4
PATIENCE_SECONDS = 90.0


def be_unwell(trial: Trial) -> None:
    """F10: five kinds of trouble, each with creates that wait and GPUs that must end."""
    kinds = (_told_when, _not_told_when, _away, _flapping, _busy)
    running = trial.create_many(3)
    trial.wait_until_all(running, "running", seconds=PATIENCE_SECONDS)
    # The calls of a minute include those of earlier runs; all other checks do not.
    trial.began_ms = int(time.time() * 1000)
    kinds[trial.seed % len(kinds)](trial, running)
    trial.clear_faults()
    _keeps_the_limit(trial)


def _told_when(trial: Trial, running: list[str]) -> None:
    _is_silent_after(trial, RETRY_AFTER_SECONDS, retry_after=RETRY_AFTER_SECONDS)


def _not_told_when(trial: Trial, running: list[str]) -> None:
    _is_silent_after(trial, DEFAULT_PAUSE_SECONDS)


def _is_silent_after(trial: Trial, seconds: float, **header: int) -> None:
    """One 429 to any call stops all calls for the given time."""
    trial.add_fault("status", status=429, reason="RATE_LIMIT_EXCEEDED", count=1, **header)
    ids = trial.create_many(5)
    refused = wait_until(lambda: _refused(trial), seconds=10, what="for a 429")[0]
    trial.wait_until_created(ids, seconds=PATIENCE_SECONDS)
    begin = refused["realMs"] + IN_FLIGHT_MS
    end = refused["realMs"] + seconds * 1000 - IN_FLIGHT_MS
    early = [call for call in _calls(trial) if begin < call["realMs"] < end]
    trial.expect(not early, f"F10: {len(early)} calls within the {seconds:g} s after a 429")


def _away(trial: Trial, running: list[str]) -> None:
    trial.add_fault("reset", for_seconds=OUTAGE_SECONDS)
    ids = trial.create_many(20)
    trial.end(running)
    time.sleep(OUTAGE_SECONDS + 0.5)
    end_ms = trial.began_ms + OUTAGE_SECONDS * 1000
    during = [call for call in _calls(trial) if call["realMs"] < end_ms]
    trial.note("calls in outages", len(during))
    trial.expect(
        len(during) <= CALLS_IN_AN_OUTAGE, f"F10: {len(during)} calls in an outage of 10 s"
    )
    trial.wait_until_created(ids, seconds=PATIENCE_SECONDS)
    trial.wait_until_all(running, "terminated", seconds=PATIENCE_SECONDS)


def _flapping(trial: Trial, running: list[str]) -> None:
    for number in range(5):
        trial.add_fault("status", status=503, starts_in_seconds=number * 3.0, for_seconds=1.5)
    ids = trial.create_many(10)
    trial.end(running)
    time.sleep(15)
    trial.wait_until_created(ids, seconds=PATIENCE_SECONDS)
    trial.wait_until_all(running, "terminated", seconds=PATIENCE_SECONDS)


def _busy(trial: Trial, running: list[str]) -> None:
    """More creates than the budget allows at once: a delete must not wait behind them."""
    trial.control.settings(rate_limit_per_minute=RATE_LIMIT)
    ids = trial.create_many(60)
    time.sleep(1)
    begun = time.time() * 1000
    trial.end(running)
    deletes = wait_until(
        lambda: [
            call
            for call in _calls(trial)
            if call["path"].endswith("/delete") and call["realMs"] >= begun
        ],
        seconds=20,
        what="for a delete",
    )
    seconds = (deletes[0]["realMs"] - begun) / 1000
    trial.expect(seconds < 3, f"F10: a delete waited {seconds:.1f} s behind creates")
    trial.wait_until_created(ids, seconds=PATIENCE_SECONDS)
    trial.expect(not _refused(trial), f"F10: {len(_refused(trial))} calls were above the limit")


def _keeps_the_limit(trial: Trial) -> None:
    moments = sorted(call["realMs"] for call in trial.control.calls()["log"])
    most = max(
        (bisect_right(moments, at + WINDOW_MS) - number for number, at in enumerate(moments)),
        default=0,
    )
    trial.outcome.figures["most calls a minute"] = most
    trial.expect(most <= RATE_LIMIT, f"F10: {most} calls in a minute, {RATE_LIMIT} are allowed")


def _calls(trial: Trial) -> list[dict[str, Any]]:
    """The calls of this run."""
    return [call for call in trial.control.calls()["log"] if call["realMs"] >= trial.began_ms]


def _refused(trial: Trial) -> list[dict[str, Any]]:
    return [call for call in _calls(trial) if call["status"] == 429]


def lose_offers(trial: Trial) -> None:
    """F11: the first offers are sold out on create, or dearer than allowed once they are bought."""
    if trial.seed % 2:
        return _grow_dearer(trial)
    count = trial.random.randrange(1, 4)
    trial.control.set_stock(free=0, times=count, hidden=True)
    begun = time.monotonic()
    ids = [trial.create()]
    trial.wait_until_all(ids, "starting", "running", "failed", seconds=20)
    trial.note("sold out on create", count)
    trial.outcome.recovered_seconds.append(time.monotonic() - begun)
    made = trial.made()
    trial.expect(sum(made.values()) <= 1, f"I1: made {made}")
    return None


def _grow_dearer(trial: Trial) -> None:
    """The catalogue shows the old price; a GPU bought above the cap must be ended."""
    trial.control.set_stock(spot_price_e5=90_000, price_e5=90_000, hidden=True)
    (dear,) = ids = [trial.create(maxPricePerHourUsd="0.30")]
    trial.wait_until_all(ids, "failed", seconds=40)
    error = trial.stack.get(dear).get("error") or {}
    trial.expect(error.get("code") == "PRICE_ABOVE_CAP", f"F11: {error}")
    trial.note("above the cap, ended", 1)


SCENARIOS = (
    Scenario(
        "F10",
        "429 with and without Retry-After, an outage, flapping, a full budget",
        be_unwell,
        runs=5,
        environment={"NOVITA_RATE_LIMIT": str(RATE_LIMIT), "INSTANCE_POLL_INTERVAL": "2"},
        grace_seconds=150,
        ending_seconds=400,
    ),
    Scenario(
        "F11",
        "offers sold out or dearer between catalogue and create",
        lose_offers,
        runs=6,
        recovery_target_seconds=2.0,
    ),
)
