"""Figures such as a run finds, small enough to be checked by eye."""

from __future__ import annotations

from typing import Any

from devtools.benchmarks.results import Results


def a_round(*, pickup: list[float] | None = None, **rates: float) -> dict[str, Any]:
    return {
        "rates": rates,
        "cpu_per_1000": dict.fromkeys(rates, 1.0),
        "server_cpu_per_1000": dict.fromkeys(rates, 0.5),
        "pickup_ms": pickup or [],
        "memory_mib": 100.0,
    }


def competitor(title: str) -> dict[str, Any]:
    return {"title": title, "settings": ["two workers"], "drains": {"noop": 1000}}


def results() -> Results:
    """The engine's batches: 0.6 x the floor's, 60 x django-q2's; Celery could not run."""
    return Results(
        about={
            "date": "2026-11-22",
            "machine": {
                "processor": "one, 2 cores",
                "memory": "24 GiB",
                "system": "Linux 6",
                "python": "3.11.7",
            },
            "load_before": 0.1,
            "versions": {"psycopg": "3.3.9"},
            "postgres": {"fsync": "on"},
            "plan": {
                "rounds": 2,
                "paced_jobs": 3,
                "paced_per_second": 25.0,
                "recovery_jobs": 3,
                "recovery_patience": 90.0,
                "claim_finished": 1000,
            },
            "workers": 2,
        },
        contenders={
            "engine": competitor("this engine"),
            "floor": competitor("floor"),
            "stock": competitor("django-q2"),
            "celery": competitor("Celery"),
        },
        rounds={
            "engine": [
                a_round(noop=900, batched=24_000, commit=1_500, pickup=[2.0, 3.0, 4.0]),
                a_round(noop=300, batched=12_000, commit=900, pickup=[2.0, 3.0, 30.0]),
            ],
            "floor": [
                a_round(noop=2_000, batched=40_000, commit=3_000),
                a_round(noop=1_000, batched=20_000, commit=1_500),
            ],
            "stock": [a_round(noop=400, commit=300), a_round(noop=200, commit=300)],
        },
        recovery_cases={
            "engine": {"title": "this engine", "note": "lease of 15 s", "contender": "engine"},
            "stock": {"title": "django-q2", "note": "retry 60 s", "contender": "stock"},
            "celery": {"title": "Celery", "note": "visibility", "contender": "celery"},
        },
        recovery={
            "engine": [
                {"running": 2, "restarted": [13.0, 14.0], "all_started": 14.5, "never": 0},
                {"running": 2, "restarted": [15.0, 16.0], "all_started": 16.0, "never": 0},
            ],
            "stock": [{"running": 2, "restarted": [55.0], "all_started": None, "never": 1}],
        },
        targets={
            "claims": {"plain": [3.0, 4.0], "paused": [], "low": [9.0, 12.0], "xmin": [11.0, 12.0]},
            "flood": [5.0, 40.0, 90.0],
            "healthy": {"none": [500.0, 600.0], "some": [450.0, 300.0]},
            "once": {
                "jobs": 10,
                "ran_once": 9,
                "ran_more": 1,
                "never": 0,
                "deadlocks": 0,
                "jobs_per_second": 6_000.0,
            },
            "stale": {"jobs": 20, "stale_writes": 0, "refused": 20},
            "killed": {"child 1": 0.2, "sentinel": 15.4},
        },
        troubles={"celery": "there is no redis-server"},
    )
