"""What was told of an event."""

from __future__ import annotations

import json
from typing import Any

from instances.models import InstanceEvent
from webhooks.models import Message


def told_of(event: InstanceEvent) -> list[dict[str, Any]]:
    """The bodies of the messages about one event."""
    rows = Message.objects.filter(body__contains=event.public_id).order_by("id")
    return [json.loads(row.body) for row in rows]
