"""What all error answers have in common."""

from __future__ import annotations

from typing import Any


def error_of(response: Any, status: int) -> dict[str, Any]:
    assert response.status_code == status, response.content
    (name, error), *others = response.json().items()
    assert (name, others) == ("error", [])
    assert {"code", "message", "timestamp", "requestId"} <= set(error)
    return dict(error)
