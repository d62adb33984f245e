"""The engine's promises, their measured values, and whether they were kept."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from devtools.benchmarks.competitors.base import BATCHED, COMMIT, NOOP
from devtools.benchmarks.reporting.figures import number, spread
from devtools.benchmarks.results import Results, longest
from devtools.benchmarks.stats import Spread, percentile

ENGINE, FLOOR, STOCK = "engine", "floor", "stock"
LEASE_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """``is_met`` is None if there is no promise, or no measurement."""

    promise: str
    target: str
    measured: str
    is_met: bool | None

    @property
    def word(self) -> str:
        return {True: "met", False: "missed", None: "–"}[self.is_met]


Found = tuple[str, bool | None]
NOT_MEASURED: Found = ("not measured", None)


def verdicts(results: Results) -> list[Verdict]:
    """In the order of the promises."""
    return [
        Verdict(promise, target, *evaluate(results))
        for promise, target, evaluate in (*_SPEED, *_CRASHES, *_LOAD, *_CLAIMS)
    ]


def _ratio(to: str, measure: str, least: float | None) -> Callable[[Results], Found]:
    def evaluate(results: Results) -> Found:
        found = results.rate_ratio(ENGINE, to, measure)
        if found is None:
            return NOT_MEASURED
        return f"{spread(found)} ×", None if least is None else found.median >= least

    return evaluate


def _pickup(results: Results) -> Found:
    found = [results.pickup(ENGINE, share) for share in (0.5, 0.95, 0.99)]
    values = [each[0] for each in found if each is not None]
    if len(values) < len(found):
        return NOT_MEASURED
    text = " / ".join(number(value) for value in values) + " ms"
    return text, all(value <= limit for value, limit in zip(values, (5.0, 15.0, 25.0), strict=True))


def _recovery(results: Results) -> Found:
    rounds = results.recovery.get(ENGINE)
    if not rounds:
        return NOT_MEASURED
    running = longest(rounds)
    everything = [
        float("inf") if each["all_started"] is None else each["all_started"] for each in rounds
    ]
    text = f"running {spread(Spread.of(running))} s, all {spread(Spread.of(everything))} s"
    return text, max(everything) <= LEASE_SECONDS + 5


def _killed(results: Results) -> Found:
    waits = results.targets.get("killed")
    if not waits:
        return NOT_MEASURED
    worst = max(waits, key=lambda name: waits[name])
    return f"longest {number(waits[worst])} s ({worst})", waits[worst] <= 15


def _stale(results: Results) -> Found:
    found = results.targets.get("stale")
    if not found:
        return NOT_MEASURED
    refused = "not counted" if found["refused"] is None else found["refused"]
    text = f"{found['stale_writes']} of {found['jobs']}; refused: {refused}"
    is_counted = found["refused"] is not None and found["refused"] > 0
    return text, found["stale_writes"] == 0 and is_counted


def _once(results: Results) -> Found:
    found = results.targets.get("once")
    if not found:
        return NOT_MEASURED
    text = (
        f"{found['ran_once']:,} of {found['jobs']:,} once, {found['ran_more']} more often, "
        f"{found['never']} never, {found['deadlocks']} deadlocks, "
        f"{number(found['jobs_per_second'])} jobs/s"
    )
    return text, found["ran_once"] == found["jobs"] and found["deadlocks"] == 0


def _flood(results: Results) -> Found:
    waits = results.targets.get("flood")
    if not waits:
        return NOT_MEASURED
    found = percentile(waits, 0.95)
    return f"p50 {number(percentile(waits, 0.5))}, p95 {number(found)} ms", found <= 100


def _healthy(results: Results) -> Found:
    found = results.targets.get("healthy")
    if not found:
        return NOT_MEASURED
    shares = [some / none for none, some in zip(found["none"], found["some"], strict=True)]
    text = (
        f"{spread(Spread.of(shares))} × ({number(Spread.of(found['some']).median)} "
        f"beside {number(Spread.of(found['none']).median)} items/s)"
    )
    return text, Spread.of(shares).median >= 0.8


def _claim(scenario: str, limit_ms: float) -> Callable[[Results], Found]:
    def evaluate(results: Results) -> Found:
        claims = results.targets.get("claims")
        if not claims:
            return NOT_MEASURED
        if not claims[scenario]:
            return "rows of the paused type were handed out", False
        found = percentile(claims[scenario], 0.95)
        text = f"p50 {number(percentile(claims[scenario], 0.5))}, p95 {number(found)} ms"
        return text, found <= limit_ms

    return evaluate


_Promise = tuple[str, str, Callable[[Results], Found]]

_SPEED: Sequence[_Promise] = (
    ("drain in batches of 200, against the floor", "≥ 0.5 ×", _ratio(FLOOR, BATCHED, 0.5)),
    ("drain in batches of 200, against django-q2", "≥ 40 ×", _ratio(STOCK, BATCHED, 40)),
    ("drain, a commit in each job, against django-q2", "≥ 3 ×", _ratio(STOCK, COMMIT, 3)),
    ("drain, one row a message, against django-q2", "reported", _ratio(STOCK, NOOP, None)),
    ("pickup when idle, p50 / p95 / p99", "≤ 5 / 15 / 25 ms", _pickup),
)
_CRASHES: Sequence[_Promise] = (
    ("kill -9 of the cluster, hanging jobs in it: started again", "≤ lease + 5 s", _recovery),
    ("kill -9 of any one process: longest wait for a job", "≤ 15 s", _killed),
    ("frozen past the lease, then woken: stale writes", "0, refusals counted", _stale),
    ("several clusters: each job exactly once, no deadlock", "all", _once),
)
_LOAD: Sequence[_Promise] = (
    ("another type's pickup beside a flood of hanging items", "p95 ≤ 100 ms", _flood),
    ("healthy items while 5 % hang for 10 s", "≥ 0.8 × without", _healthy),
)
_CLAIMS: Sequence[_Promise] = (
    ("claim of 100 rows in a big table", "p95 ≤ 10 ms", _claim("plain", 10)),
    ("… with a paused type at the head", "p95 ≤ 10 ms", _claim("paused", 10)),
    ("… with only LOW due", "p95 ≤ 10 ms", _claim("low", 10)),
    ("… under a long transaction's snapshot", "p95 ≤ 25 ms", _claim("xmin", 25)),
)
