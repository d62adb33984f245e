"""HTTP client for servers on this machine: JSON, no proxies, no redirects to other hosts."""

import json
import urllib.error
import urllib.request
from typing import Any

TIMEOUT_SECONDS = 10.0
# A proxy from the environment would also be used for 127.0.0.1.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Unanswered(Exception):
    """No server listens, or its answer is not JSON."""


def call(method: str, url: str, *, key: str = "", body: Any = None) -> tuple[int, Any]:
    """Status and JSON of the answer, for any status. Raises Unanswered."""
    request = urllib.request.Request(url, method=method)  # noqa: S310 - our own address
    if key:
        request.add_header("Authorization", f"Bearer {key}")
    if body is not None:
        request.data = json.dumps(body).encode()
        request.add_header("Content-Type", "application/json")
    try:
        with _OPENER.open(request, timeout=TIMEOUT_SECONDS) as response:
            return response.status, json.loads(response.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, _json_or_none(error.read())
    except (OSError, ValueError) as error:
        raise Unanswered(f"{method} {url}: {error}") from error


def _json_or_none(text: bytes) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None
