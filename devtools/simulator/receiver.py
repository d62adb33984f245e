"""A webhook receiver that records requests and, on demand, answers wrongly.

`python -m devtools.simulator.receiver --port 0` prints its address once it listens. If
RECEIVER_SECRET (whsec_...) is set, it verifies every request.

Signatures are checked by the Standard Webhooks library, never by code of the product.
"""

from __future__ import annotations

import argparse
import base64
import threading
from collections import deque
from dataclasses import asdict, dataclass, field
from typing import Any

from standardwebhooks import Webhook
from standardwebhooks.webhooks import WebhookVerificationError

from devtools.simulator.api import Answer
from devtools.simulator.clock import real_now_ms
from devtools.simulator.errors import ApiError, ControlError
from devtools.simulator.faults import Fault
from devtools.simulator.http import Json, Request, Response, json_response
from devtools.simulator.secret import secret
from devtools.simulator.server import Server, run
from devtools.simulator.validation import build

PREFIX = "/_receiver"
KEPT = 100_000


@dataclass
class Behaviour:
    """The answer for one path (`*`: all): the first rule with `times` left is used."""

    path: str = "*"
    times: int | None = None
    every: int = 1
    """Used for each n-th request only; the others get what the next rules say."""
    status: int = 200
    body: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    retry_after: str = ""
    """Seconds or an HTTP date, sent unchanged."""
    redirect_to: str = ""
    latency_seconds: float = 0.0
    hang_seconds: float | None = None
    reset: bool = False
    slow_loris_seconds: float | None = None
    """Pause between single bytes of the whole answer."""
    huge_body_bytes: int = 0
    secret: str = ""
    """Verify this path with its own secret; a rule without other fields answers 200."""
    seen: int = 0
    """Requests that it could have answered; counted by the receiver."""

    def fault(self) -> Fault | None:
        """The fault that the server applies to the answer."""
        if self.reset:
            return Fault(effect="reset", when="after")
        if self.hang_seconds is not None:
            return Fault(effect="hang", when="after", hang_seconds=self.hang_seconds)
        if self.slow_loris_seconds is not None:
            seconds = self.slow_loris_seconds
            return Fault(effect="drip", when="after", drip_seconds=seconds, drip_headers=True)
        return None

    def response(self) -> Response:
        headers = dict(self.headers)
        if self.retry_after:
            headers["Retry-After"] = self.retry_after
        if self.redirect_to:
            headers["Location"] = self.redirect_to
        status = 302 if self.redirect_to and self.status == 200 else self.status
        return Response(status, self.body.encode(), headers, self.huge_body_bytes)


class Receiver:
    """Keeps the newest deliveries; safe for many threads."""

    def __init__(self, secret: str, stopping: threading.Event) -> None:
        self._secret = secret
        self._stopping = stopping
        self._lock = threading.Lock()
        self._behaviours: list[Behaviour] = []
        self._deliveries: deque[Json] = deque(maxlen=KEPT)

    def handle(self, request: Request) -> Answer:
        if request.path.startswith(PREFIX + "/"):
            return Answer(self._control(request))
        with self._lock:
            behaviour = self._take(request.path)
            self._deliveries.append(self._delivery(request, behaviour))
        if behaviour.latency_seconds:
            self._stopping.wait(behaviour.latency_seconds)
        return Answer(behaviour.response(), behaviour.fault())

    def _take(self, path: str) -> Behaviour:
        for behaviour in self._behaviours:
            if behaviour.path in ("*", path) and behaviour.times != 0:
                behaviour.seen += 1
                if behaviour.seen % max(behaviour.every, 1):
                    continue
                if behaviour.times is not None:
                    behaviour.times -= 1
                return behaviour
        return Behaviour()

    def _delivery(self, request: Request, behaviour: Behaviour) -> Json:
        return {
            "timeMs": real_now_ms(),
            "method": request.method,
            "path": request.path,
            "query": request.query,
            "headers": request.headers,
            "body": request.body.decode(errors="replace"),
            "bodyBase64": base64.b64encode(request.body).decode(),
            "verified": self._verified(request),
            "status": behaviour.response().status,
        }

    def _verified(self, request: Request) -> str | None:
        """`ok`, the error of the signature, or None if there is no secret to check with."""
        own = [rule.secret for rule in self._behaviours if rule.path == request.path]
        secret = next(filter(None, own), self._secret)
        if not secret:
            return None
        try:
            Webhook(secret).verify(request.body, request.headers, json_parse=False)
        except (WebhookVerificationError, ValueError) as error:
            return str(error) or type(error).__name__
        return "ok"

    def _control(self, request: Request) -> Response:
        path = request.path.removeprefix(PREFIX)
        try:
            with self._lock:
                return json_response(self._ordered(request.method, path, request))
        except (ControlError, ApiError) as error:
            return json_response({"error": str(error)}, 400)

    def _ordered(self, method: str, path: str, request: Request) -> Any:
        if (method, path) == ("POST", "/behaviour"):
            self._behaviours.append(build(Behaviour, request.json()))
            return {"behaviours": [asdict(rule) for rule in self._behaviours]}
        if (method, path) == ("DELETE", "/behaviour"):
            self._behaviours.clear()
            return {}
        if (method, path) == ("GET", "/deliveries"):
            wanted = request.query.get("path")
            kept = [d for d in self._deliveries if wanted in (None, d["path"])]
            return {"deliveries": kept, "total": len(kept)}
        if method == "DELETE" and path in ("/deliveries", "/"):
            self._deliveries.clear()
            if path == "/":
                self._behaviours.clear()
            return {}
        raise ControlError(f"unknown control call {method} {request.path}")


def main() -> None:
    """Serve until SIGTERM or SIGINT; prints one line once connections are accepted."""
    parser = argparse.ArgumentParser(prog="devtools.simulator.receiver", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 chooses a free one")
    parser.add_argument("--secret-file", help="file with a whsec_..., which verifies every request")
    parser.add_argument(
        "--secret", default="", help="the secret itself; visible to others in the process list"
    )
    parser.add_argument("--end-with-parent", action="store_true")
    parser.add_argument("--verbose", action="store_true")
    options = parser.parse_args()
    stopping = threading.Event()
    key = secret(options.secret, options.secret_file, "RECEIVER_SECRET")
    receiver = Receiver(key, stopping)
    address = (options.host, options.port)
    server = Server(address, receiver.handle, stopping, verbose=options.verbose)
    host, port = server.server_address[:2]
    run(server, f"Receiver http://{host!s}:{port}/", with_parent=options.end_with_parent)


if __name__ == "__main__":
    main()
