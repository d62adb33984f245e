"""A minimal FastAPI service on our tables: the cost of the same work without the framework.

The same key check, validation, three inserts in one commit, one read and one list; an asynchronous
psycopg pool, so concurrent commits share a flush of the disk. It has no rate limit, idempotency,
metrics, request log or error format. Run by uvicorn as ``devtools.benchmarks.http.peer:app``.
"""

import hashlib
import json
import os
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Header, HTTPException
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool
from pydantic import BaseModel, ConfigDict, Field

from devtools.benchmarks.http import statements

pool: AsyncConnectionPool[Any] = AsyncConnectionPool(
    os.environ["BENCH_PEER_DATABASE"],
    min_size=8,
    max_size=8,
    open=False,
    kwargs={"autocommit": True, "row_factory": dict_row},
)


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    """Open the pool with the server and close it with it."""
    async with pool:
        yield


app = FastAPI(lifespan=lifespan, openapi_url=None)


class CreateRequest(BaseModel):
    """The request, with the same rules as ours."""

    model_config = ConfigDict(extra="forbid", strict=True)

    name: str = Field(pattern=r"^[a-zA-Z0-9_-]+$", min_length=1, max_length=100)
    productName: str = Field(min_length=1, max_length=200)
    templateId: str = Field(min_length=1, max_length=255)
    gpuNum: int = Field(1, ge=1, le=8)
    rootfsSize: int = Field(60, ge=20, le=1000)
    region: str = Field("CN-HK-01", pattern="^(CN-HK-01|US-WEST-01|EU-WEST-01)$")


async def caller(authorization: Annotated[str, Header()] = "") -> dict[str, Any]:
    """The key's row, or 401."""
    digest = hashlib.sha256(authorization.removeprefix("Bearer ").encode()).hexdigest()
    async with pool.connection() as connection:
        cursor = await connection.execute(statements.FIND_KEY, [digest])
        found: dict[str, Any] | None = await cursor.fetchone()
    if found is None:
        raise HTTPException(401)
    return found


Caller = Annotated[dict[str, Any], Depends(caller)]


@app.post("/api/instances", status_code=201)
async def create(body: CreateRequest, who: Caller) -> dict[str, Any]:
    """Insert instance, event and job in one commit."""
    now = datetime.now(UTC)
    public_id = f"inst_{secrets.token_hex(12)}"
    row = {
        "public_id": public_id,
        "project": who["project_id"],
        "name": body.name,
        "product": body.productName,
        "template": body.templateId,
        "gpus": body.gpuNum,
        "disk": body.rootfsSize,
        "region": body.region,
        "now": now,
        "deadline": now + timedelta(minutes=10),
        "reference": secrets.token_hex(10),
    }
    async with pool.connection() as connection, connection.transaction():
        cursor = await connection.execute(statements.INSERT_INSTANCE, row)
        made = await cursor.fetchone()
        assert made is not None  # noqa: S101 - RETURNING
        event = {
            "public_id": f"evt_{secrets.token_hex(12)}",
            "project": who["project_id"],
            "instance": made["id"],
            "now": now,
            "actor": f"key:{who['public_id']}",
        }
        await connection.execute(statements.INSERT_EVENT, event)
        payload = json.dumps({"instanceId": public_id, **body.model_dump()})
        job = {
            "public_id": f"job_{secrets.token_hex(12)}",
            "project": who["project_id"],
            "subject": public_id,
            "payload": payload,
            "key": f"create:{public_id}",
        }
        await connection.execute(statements.INSERT_JOB, job)
    ready = (now + timedelta(minutes=5)).isoformat()
    return {
        "instanceId": public_id,
        "status": "creating",
        "message": "created",
        "estimatedReadyTime": ready,
    }


@app.get("/api/instances/{public_id}")
async def read(public_id: str, who: Caller) -> dict[str, Any]:
    """One instance of the caller."""
    async with pool.connection() as connection:
        cursor = await connection.execute(statements.FIND, [public_id])
        row = await cursor.fetchone()
    if row is None or row["project_id"] != who["project_id"]:
        raise HTTPException(404)
    return details(row)


@app.get("/api/instances")
async def page(who: Caller, limit: int = 20) -> dict[str, Any]:
    """The newest instances of the caller, and their number."""
    async with pool.connection() as connection:
        cursor = await connection.execute(statements.LIST, [who["project_id"], limit])
        rows = await cursor.fetchall()
        cursor = await connection.execute(statements.COUNT, [who["project_id"]])
        total = await cursor.fetchone()
    return {"instances": [details(row) for row in rows], "total": (total or {})["count"]}


def details(row: dict[str, Any]) -> dict[str, Any]:
    """The fields of a new instance in our answers."""
    return {
        "id": row["public_id"],
        "name": row["name"],
        "status": row["status"],
        "gpuNum": row["gpu_num"],
        "region": row["region"],
        "product": {"name": row["product_name"]},
        "templateId": row["template_id"],
        "rootfsSize": row["rootfs_size_gb"],
        "billingMode": row["billing_mode"],
        "portMappings": row["port_mappings"],
        "createdAt": row["created_at"].isoformat(timespec="milliseconds"),
        "events": f"/api/instances/{row['public_id']}/events",
        "jobs": f"/api/jobs?instance={row['public_id']}",
    }
