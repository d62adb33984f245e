"""django-q2 without changes, with its ORM broker, tuned."""

from devtools.benchmarks.competitors.base import COMMIT, NOOP, WORKERS, Competitor, python

STOCK = Competitor(
    name="stock",
    title="django-q2, ORM broker",
    client="devtools.benchmarks.competitors.stock.client:StockClient",
    commands=[python("-m", "django", "qcluster")],
    drains={NOOP: 2_000, COMMIT: 2_000},
    settings=[
        f"`qcluster`, workers {WORKERS}, bulk 50, queue_limit 100, poll 0.02 s (default 0.2)",
        "CONN_MAX_AGE 600 (the default 0 connects anew for every call: several times slower)",
        "save_limit -1: no result rows; scheduler off; statistics in a local-memory cache",
    ],
    needs=["django_q"],
    env={"DJANGO_SETTINGS_MODULE": "devtools.benchmarks.competitors.stock.settings"},
)
