"""What all error answers have in common."""

from __future__ import annotations

import json
import re
from typing import Any

from novitai.errors.responses import CODES


def error_of(response: Any, status: int, code: str) -> dict[str, Any]:
    """The error of an answer, after checking everything that all of them have."""
    assert response.status_code == status, response.content
    assert response["Content-Type"] == "application/json"
    body = json.loads(response.content)
    assert set(body) == {"error"}
    error: dict[str, Any] = body["error"]
    always = {"code", "message", "retryable", "timestamp", "requestId"}
    assert always <= set(error) <= always | {"suggestion", "details", "validationErrors"}
    assert error["code"] == code
    assert error["retryable"] is CODES[code].retryable
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", error["timestamp"])
    assert error["requestId"] == response["X-Request-Id"]
    return error
