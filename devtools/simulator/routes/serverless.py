"""Serverless endpoints. This account has none, but clients that list everything ask for them."""

from __future__ import annotations

from devtools.simulator.forms import total
from devtools.simulator.http import Json, Request, Routes
from devtools.simulator.world.world import World


def list_endpoints(world: World, now_ms: int, request: Request) -> Json:
    return {"endpoints": [], "total": total(world, 0)}


ROUTES: Routes = {("GET", "/endpoints"): list_endpoints}
