"""The figures as plots (SVG). Needs matplotlib, which only the benchmark's own venv has."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from devtools.benchmarks.competitors.base import BATCHED, COMMIT, NOOP
from devtools.benchmarks.results import Results, longest
from devtools.benchmarks.stats import Spread

_COLOURS = {
    "engine": "#0b6e4f",
    "stock": "#c8553d",
    "procrastinate": "#3d5a98",
    "celery": "#8a6fb0",
    "floor": "#6b6b6b",
    "floor_own": "#a9a9a9",
}
_DRAINS = (
    (NOOP, "one row a message", 0.35),
    (BATCHED, "batches of 200", 1.0),
    (COMMIT, "a commit in each job", 0.65),
)
# With the limit of the claim's p95 in milliseconds.
_SCENARIOS = {
    "plain": ("{finished:,} finished rows", 10),
    "paused": ("… a paused type at the head", 10),
    "low": ("… only LOW due", 10),
    "xmin": ("… an old snapshot held", 25),
}
_SHORTEST_MS = 0.5
_POINTS = 250


def draw(results: Results, folder: Path) -> list[str]:
    """Write benchmarks-NAME.svg for all measurements; returns the names."""
    import matplotlib as mpl

    mpl.use("Agg")
    mpl.rcParams.update(
        {
            "svg.hashsalt": "novitai",
            # Text stays text: a tenth of the size.
            "svg.fonttype": "none",
            "font.size": 10,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "figure.facecolor": "white",
        }
    )
    from matplotlib import pyplot

    drawn = []
    for name, (paint, size) in _PLOTS.items():
        figure, axes = pyplot.subplots(figsize=size, layout="constrained")
        if paint(results, axes):
            figure.savefig(folder / f"benchmarks-{name}.svg", metadata={"Date": None})
            drawn.append(name)
        pyplot.close(figure)
    return drawn


def _drain(results: Results, axes: Any) -> bool:
    """Rates differ by a factor of a hundred: bars on a logarithmic scale that begins at 100."""
    names = [name for name in results.contenders if results.rounds.get(name)]
    height = 0.8 / len(_DRAINS)
    for place, name in enumerate(reversed(names)):
        for number, (measure, _, alpha) in enumerate(_DRAINS):
            values = results.rates(name, measure)
            if not values or (measure == BATCHED and not results.has_batches(name)):
                continue
            found = Spread.of(values)
            y = place + (1 - number) * height
            axes.barh(
                *(y, found.median, height * 0.92),
                color=_COLOURS[name],
                alpha=alpha,
                xerr=_error(found),
                ecolor="black",
                capsize=2,
            )
            axes.annotate(
                f"{found.median:,.0f}",
                (found.highest, y),
                xytext=(4, 0),
                textcoords="offset points",
                va="center",
                fontsize=8,
            )
    titles = [results.contenders[name]["title"] for name in reversed(names)]
    axes.set_yticks(range(len(names)), titles)
    axes.set_xscale("log")
    axes.set_xlim(left=100)
    axes.margins(x=0.15)
    axes.set_xlabel("jobs a second (logarithmic; bar: median, line: lowest to highest)")
    axes.legend(handles=_legend(), loc="lower right", frameon=False, fontsize=8)
    axes.set_title("Drain rate, two workers", loc="left")
    return bool(names)


def _legend() -> list[Any]:
    from matplotlib.patches import Patch

    return [
        Patch(facecolor=_COLOURS["engine"], alpha=alpha, label=title) for _, title, alpha in _DRAINS
    ]


def _error(found: Spread) -> list[list[float]]:
    return [[found.median - found.lowest], [found.highest - found.median]]


def _pickup(results: Results, axes: Any) -> bool:
    names = [name for name in results.contenders if results.pickups(name)]
    for name in names:
        values = sorted(value for each in results.pickups(name) for value in each)
        # A few hundred points draw the same line as thousands.
        places = [*range(0, len(values), max(1, len(values) // _POINTS)), len(values) - 1]
        shares = [(place + 1) / len(values) for place in places]
        title = results.contenders[name]["title"]
        axes.step(
            [max(values[place], _SHORTEST_MS) for place in places],
            shares,
            label=title,
            color=_COLOURS[name],
        )
    for share in (0.5, 0.95, 0.99):
        axes.axhline(share, color="#dddddd", linewidth=0.8, zorder=0)
    axes.set_yticks([0.0, 0.25, 0.5, 0.75, 0.95, 1.0])
    axes.set_xscale("log")
    axes.set_xlim(left=_SHORTEST_MS)
    ticks = [0.5, 1, 2, 5, 10, 20, 50, 100, 200]
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.set_xlabel("ms from COMMIT to the handler's first line (logarithmic)")
    axes.set_ylabel("share of jobs")
    if names:
        axes.legend(frameon=False, fontsize=8)
    axes.set_title("Pickup at 25 jobs a second", loc="left")
    return bool(names)


def _recovery(results: Results, axes: Any) -> bool:
    names = [name for name in results.recovery_cases if results.recovery.get(name)]
    for place, name in enumerate(reversed(names)):
        found = Spread.of(longest(results.recovery[name]))
        if found.highest == float("inf"):
            patience = results.about["plan"]["recovery_patience"]
            axes.annotate(f"not within {patience:.0f} s", (1, place), va="center", fontsize=9)
            continue
        colour = _COLOURS[results.recovery_cases[name]["contender"]]
        axes.barh(place, found.median, 0.6, color=colour, xerr=_error(found), capsize=2)
        axes.annotate(
            f"{found.median:.1f} s",
            (found.highest, place),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            fontsize=9,
        )
    titles = [results.recovery_cases[name]["title"] for name in reversed(names)]
    axes.set_yticks(range(len(names)), titles)
    axes.margins(x=0.12)
    axes.set_xlabel("seconds from kill -9 until the last running job was started again")
    axes.set_title("Recovery", loc="left")
    return bool(names)


def _claims(results: Results, axes: Any) -> bool:
    claims = results.targets.get("claims") or {}
    names = [name for name in _SCENARIOS if claims.get(name)]
    for place, name in enumerate(reversed(names)):
        axes.boxplot(
            claims[name],
            positions=[place],
            orientation="horizontal",
            widths=0.5,
            whis=(5, 95),
            showfliers=False,
            patch_artist=True,
            boxprops={"facecolor": _COLOURS["engine"], "alpha": 0.5},
            medianprops={"color": "black"},
        )
        limit = _SCENARIOS[name][1]
        axes.vlines(limit, place - 0.4, place + 0.4, color=_COLOURS["stock"], linewidth=2)
    finished = results.about["plan"]["claim_finished"]
    titles = [_SCENARIOS[name][0].format(finished=finished) for name in reversed(names)]
    axes.set_yticks(range(len(names)), titles)
    axes.set_xlim(left=0)
    axes.set_xlabel("ms (box: middle half; whiskers: 5 % and 95 %; red: target for the 95 %)")
    axes.set_title("Claim of 100 rows", loc="left")
    return bool(names)


_PLOTS: dict[str, tuple[Callable[[Results, Any], bool], tuple[float, float]]] = {
    "drain": (_drain, (9, 5.5)),
    "pickup": (_pickup, (8, 4)),
    "recovery": (_recovery, (8, 2.8)),
    "claims": (_claims, (8, 2.8)),
}
