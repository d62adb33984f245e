"""How Postgres finds the pages of the list: what is read, not how long it takes."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from django.db import connection
from django.test import Client

from accounts.models import Project
from instances.models import Instance

BORN = datetime(2026, 1, 1, tzinfo=UTC)
# What must be found without a read of all of the project's rows, or at any of another's.
BY_INDEX = (
    *("sort=-createdAt", "sort=createdAt", "sort=name", "sort=-name"),
    *("sort=pricePerHourUsd", "sort=-pricePerHourUsd"),
    *("status=stopped", "region=R", "name=rare", "product=h100", "product=prod-7", "tag=team:x"),
    *("createdBefore=2026-01-01T00:05:00Z", "status=stopped&sort=name", "tag=team:x&sort=name"),
)
MOST_PASSED_OVER = 10


def test_a_page_reads_no_rows_that_are_not_on_it(
    api: Client, project: Project, other_project: Project
) -> None:
    """Plans, not times: what decides is how many rows are read to be passed over."""
    for owner in (project, other_project):
        Instance.objects.bulk_create(Instance(project=owner, **row(i)) for i in range(1500))
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE instances_instance")
    api.get("/api/instances")
    for query in BY_INDEX:
        plan = plan_of(api, query)
        passed_over = sum(map(int, re.findall(r"Rows Removed by Filter: (\d+)", plan)))
        assert passed_over <= MOST_PASSED_OVER, (query, plan)
        assert "Seq Scan" not in plan, (query, plan)


def row(number: int) -> dict[str, Any]:
    is_rare = number % 500 == 0
    return {
        "name": f"rare-{number}" if is_rare else f"job-{number}",
        "status": "stopped" if is_rare else "creating",
        "product_name": "H100" if is_rare else "RTX 4090",
        "product_id": f"prod-{number}",
        "template_id": "1",
        "gpu_num": 1,
        "rootfs_size_gb": 60,
        "region": "R" if is_rare else "CN-HK-01",
        "tags": {"team": "x"} if is_rare else {"team": "y"},
        "price_e5_usd": number,
        "placement": {"reason": "because " * 20},
        "created_at": BORN + timedelta(minutes=number),
    }


def plan_of(api: Client, query: str) -> str:
    """How Postgres finds the page that the query asks for."""
    asked: list[tuple[str, Any]] = []

    def note(execute: Any, sql: str, values: Any, many: bool, context: Any) -> Any:
        asked.append((sql, values))
        return execute(sql, values, many, context)

    with connection.execute_wrapper(note):
        assert api.get(f"/api/instances?{query}").status_code == 200
    ((page, values),) = [(sql, values) for sql, values in asked if '"."connection"' in sql]
    cursor_class = psycopg.RawCursor if "$1" in page else psycopg.ClientCursor
    with cursor_class(connection.connection) as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) {page}", values)
        return "\n".join(line for (line,) in cursor.fetchall())
