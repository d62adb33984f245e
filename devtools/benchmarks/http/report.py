"""docs/benchmarks-api.md: one table, as ratios. People write the text below it.

Only the part between the two marks is replaced.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from devtools.benchmarks.http.measure import FLOOR, GET, LIST, OURS, PEER, POST
from devtools.benchmarks.marked import replace_measured
from devtools.benchmarks.stats import Spread, ratios

PAGE = "benchmarks-api.md"
_NAMES = {OURS: "novitai", PEER: "FastAPI + psycopg", FLOOR: "pgbench"}
_GOALS = {POST: 1.0, GET: 1.0}


def write(found: Mapping[str, Any], folder: Path) -> Path:
    """Replace the measured part of the page."""
    return replace_measured(folder / PAGE, "The API, measured", measured(found))


def measured(found: Mapping[str, Any]) -> str:
    """The tables in Markdown."""
    about = (
        f"{found['date']}, {', '.join(found['machine'].values())}. "
        f"{found['rounds']} rounds of {found['seconds']} s, "
        f"{found['connections']} connections, {found['processes']} processes each; medians, and "
        "lowest to highest in brackets. Everything, the client too, shares the two cores."
    )
    rows = [
        "| | requests/s | median ms | 99 % ms | refused |",
        "| --- | --- | --- | --- | --- |",
    ]
    rows += [
        _row(f"{what}, {_NAMES[who]}", figures)
        for what in (POST, GET, LIST)
        for who in (OURS, PEER, FLOOR)
        if (figures := _of(found, who, what))
    ]
    verdicts = [
        "| novitai / FastAPI, round by round | ratio | target |",
        "| --- | --- | --- |",
    ]
    for what in (POST, GET, LIST):
        ours = [figure["rate"] for figure in _of(found, OURS, what)]
        peer = [figure["rate"] for figure in _of(found, PEER, what)]
        verdicts.append(_verdict(what, Spread.of(ratios(ours, peer))))
    return "\n".join([about, "", *rows, "", *verdicts])


def _of(found: Mapping[str, Any], who: str, what: str) -> Sequence[Mapping[str, Any]]:
    return [each for each in found["figures"] if (each["who"], each["what"]) == (who, what)]


def _row(title: str, figures: Sequence[Mapping[str, Any]]) -> str:
    rate = Spread.of([figure["rate"] for figure in figures])
    p50, p99 = (
        Spread.of([figure[name] for figure in figures]).median for name in ("p50_ms", "p99_ms")
    )
    errors = sum(figure["errors"] for figure in figures)
    span = f"{rate.median:,.0f} ({rate.lowest:,.0f} to {rate.highest:,.0f})"
    return f"| {title} | {span} | {p50:.1f} | {p99:.1f} | {errors} |"


def _verdict(what: str, ratio: Spread) -> str:
    target = _GOALS.get(what)
    if target is None:
        said = "none"
    else:
        said = f"≥ {target:.1f}: {'met' if ratio.median >= target else 'missed'}"
    span = f"{ratio.median:.2f} ({ratio.lowest:.2f} to {ratio.highest:.2f})"
    return f"| {what} | {span} | {said} |"
