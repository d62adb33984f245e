"""How long any page of GET /api/instances takes, with 100,000 instances in each of two projects.

    DATA_DIR=/tmp/lists .venv/bin/python scripts/measure_lists.py [ROWS] [TIMES]

Makes a database of its own in DATA_DIR (which must be new), asks for the first, a middle and the
last page of every filter and sort, in this process, with 100 instances a page, and prints the
slowest of each as a table, with what of it was spent in the database. The statuses, tags and prices
are laid so that estimates go wrong: what is rare is old, and most prices are equal.
"""

# ruff: noqa: T201, E402 - a script that prints, over tables of its own
import os
import sys
import time
from pathlib import Path
from statistics import median
from types import SimpleNamespace

sys.path.insert(0, str(Path(__file__).parents[1]))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "novitai.settings")
os.environ["API_RATE_LIMIT"] = "0"
os.environ["LOG_LEVEL"] = "ERROR"

import django

django.setup()

from django.core.management import call_command
from django.db import connection
from django.http import QueryDict
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import Project
from accounts.services import create_api_key
from core import cursors
from devtools.embedded_postgres import stop
from instances.api.filters import SORTS, asked_for

ROWS = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
TIMES = int(sys.argv[2]) if len(sys.argv) > 2 else 5
FILTERS = {
    "none": "",
    "status, half of all": "status=failed",
    "status, few and oldest": "status=stopped",
    "two statuses": "status=running,stopped",
    "region": "region=US-WEST-01",
    "region that nobody has": "region=EU-WEST-01",
    "product name": "product=rtx%204090",
    "product id, few": "product=prod-7",
    "name, a tenth": "name=JOB-1",
    "name, one": "name=job-00077",
    "name, none": "name=zzz",
    "tag, half of all": "tag=team:vision",
    "tag key, half of all": "tag=team",
    "tag, few and oldest": "tag=rare:yes",
    "tag that the other project has": "tag=theirs:yes",
    "billing mode": "billingMode=onDemand",
    "a tenth by age": "createdAfter=2026-01-01T00:00:00Z&createdBefore=2026-01-08T00:00:00Z",
    "much that excludes each other": "status=failed&region=US-WEST-01&billingMode=onDemand",
    "product and status that never meet": "product=prod-7&status=stopped&region=EU-WEST-01",
    "tag and status that never meet": "tag=team:vision&status=stopped",
}
SEED = """
INSERT INTO instances_instance (public_id, project_id, name, product_name, template_id, gpu_num,
  rootfs_size_gb, region, billing_mode, webhook_url, status, error_code, error_message, create_step,
  reference, upstream_name, cluster_id, product_id, price_e5_usd, placement, refused_offers,
  upstream_account, upstream_id, upstream_status, port_mappings, connection, lookup_count,
  readiness_probe, tags, created_at)
SELECT 'inst_' || %(project)s || '_' || lpad(i::text, 18, '0'), %(project)s,
  'job-' || lpad(i::text, 5, '0'), CASE WHEN i %% 3 = 0 THEN 'H100' ELSE 'RTX 4090' END, '1',
  1 + i %% 2, 60, CASE WHEN i %% 2 = 0 THEN 'US-WEST-01' ELSE 'CN-HK-01' END,
  CASE WHEN i %% 2 = 1 THEN 'onDemand' ELSE 'spot' END, '',
  CASE WHEN i < %(rows)s / 100 THEN 'stopped' WHEN i %% 2 = 0 THEN 'failed'
       WHEN i %% 50 = 1 THEN 'creating' ELSE 'running' END,
  'STARTUP_FAILED', '', 'placed', md5(%(project)s || ':' || i), '', 'us-ca-6', 'prod-' || i %% 997,
  CASE WHEN i %% 50 = 1 THEN NULL WHEN i %% 10 = 0 THEN i ELSE 35000 END,
  jsonb_build_object('reason', repeat('because ', 40)), '{}', 'acc',
  'up-' || %(project)s || '-' || i,
  'running', '[{"port": 22, "endpoint": "ssh://a:22", "type": "tcp"}]', '{}', 0, '{}',
  CASE WHEN i < 200 THEN '{"rare": "yes"}' ELSE '{}' END::jsonb
    || CASE WHEN i %% 2 = 0 AND i >= %(rows)s / 100 THEN '{"team": "vision"}' ELSE '{}' END::jsonb
    || %(own)s::jsonb,
  '2025-11-01T00:00:00Z'::timestamptz + i * interval '1 minute'
FROM generate_series(%(first)s, %(last)s) AS i
"""


def seed(project: Project, own: str) -> None:
    # In parts, each within the limit of a statement's time.
    for first in range(1, ROWS + 1, 5000):
        last = min(first + 4999, ROWS)
        fields = {"project": project.pk, "rows": ROWS, "own": own, "first": first, "last": last}
        with connection.cursor() as cursor:
            cursor.execute(SEED, fields)


def cursor_in(project: Project, query: str, sort: str, share: float) -> str | None:
    """The cursor of a page that lies so far into the list."""
    parameters = QueryDict(query)
    column = SORTS[sort]
    tie = "-pk" if column.startswith("-") else "pk"
    rows = asked_for(parameters).apply(project).with_hourly_price().order_by(column, tie)
    name = column.removeprefix("-")
    at = int(rows.count() * share)
    key = rows.values_list(name, "pk")[at : at + 1].first()
    if key is None:
        return None
    request = SimpleNamespace(
        path="/api/instances", query_params=QueryDict(f"{query}&sort={sort}".lstrip("&"))
    )
    first = key[0].isoformat() if hasattr(key[0], "isoformat") else key[0]
    return cursors.encode([first, key[1]], cursors.name_of_list(request, project))  # type: ignore[arg-type]


def timed(api: Client, path: str) -> tuple[float, float, str]:
    """Milliseconds of the median request, of these the database's, and its slowest statement."""
    runs = []
    for _ in range(TIMES):
        began = time.perf_counter()
        response = api.get(path)
        runs.append((time.perf_counter() - began) * 1000)
        assert response.status_code == 200, response.content  # noqa: S101
    with CaptureQueriesContext(connection) as captured:
        api.get(path)
    spent = [(float(query["time"]) * 1000, query["sql"]) for query in captured.captured_queries]
    return median(runs), sum(ms for ms, _ in spent), max(spent)[1]


def plan_of(sql: str) -> str:
    with connection.cursor() as cursor:
        how = "GENERIC_PLAN" if "$1" in sql else "ANALYZE, BUFFERS"
        cursor.execute(f"EXPLAIN ({how}) {sql}")
        return "\n".join(row[0] for row in cursor.fetchall())


def main() -> None:
    call_command("migrate", verbosity=0)
    mine = Project.objects.create(name="measured")
    theirs = Project.objects.create(name="beside")
    seed(mine, "{}")
    seed(theirs, '{"theirs": "yes"}')
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")
        cursor.execute("VACUUM ANALYZE instances_instance")
    key = create_api_key(project=mine, name="measuring", rate_limit=0)
    api = Client(headers={"authorization": f"Bearer {key}"})
    api.get("/api/instances")
    print(
        "| Filter | slowest sort | page | ms | of these database |\n| --- | --- | --- | --- | --- |"
    )
    worst: tuple[float, float, str] = (0, 0, "")
    for name, query in FILTERS.items():
        found = []
        for sort in SORTS:
            for page, share in (("first", None), ("middle", 0.5), ("last", 0.999)):
                path = f"/api/instances?limit=100&{query}&sort={sort}".replace("&&", "&")
                if share is not None:
                    at = cursor_in(mine, query, sort, share)
                    if at is None:
                        continue
                    path += f"&cursor={at}"
                found.append((*timed(api, path), sort, page))
        slowest = max(found)
        worst = max(worst, slowest[:3])
        ms, database, _, sort, page = slowest
        print(f"| {name} | {sort} | {page} | {ms:.1f} | {database:.1f} |", flush=True)
    print(f"\nSlowest statement of all, {worst[0]:.1f} ms:\n{worst[2]}\n{plan_of(worst[2])}")


if __name__ == "__main__":
    try:
        main()
    finally:
        connection.close()
        stop(Path(os.environ["DATA_DIR"]))
