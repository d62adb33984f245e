"""Receives webhooks and believes only what is signed. Standard library only.

A web framework does the receiving for you; `verify` is the part to keep.
"""

import base64
import hashlib
import hmac
import json
import queue
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TOLERANCE_SECONDS = 300
MAX_BODY_BYTES = 1_000_000


def verify(secret, headers, body):
    """The message, or ValueError. `body` is the raw bytes: parsed and written again they differ."""
    message_id, timestamp = headers["webhook-id"], headers["webhook-timestamp"]
    if abs(time.time() - int(timestamp)) > TOLERANCE_SECONDS:
        raise ValueError("the message is too old, or from the future")
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{message_id}.{timestamp}.".encode() + body
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    # Several while a secret is being replaced.
    for signature in headers["webhook-signature"].split():
        version, _, value = signature.partition(",")
        if version == "v1" and hmac.compare_digest(value, expected):
            return json.loads(body)
    raise ValueError("the signature is wrong")


class Receiver:
    """Collects verified messages; a repeated one is dropped by its webhook-id."""

    secret = None  # Of the endpoint; until it is known nothing is believed.

    def __init__(self, port=0):
        messages, seen, receiver = queue.Queue(), set(), self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                length = min(int(self.headers.get("Content-Length") or 0), MAX_BODY_BYTES)
                try:
                    message = verify(receiver.secret, self.headers, self.rfile.read(length))
                except (ValueError, KeyError, TypeError, AttributeError):
                    return self.answer(401)
                if self.headers["webhook-id"] not in seen:
                    seen.add(self.headers["webhook-id"])
                    messages.put(message)
                # Answer first, work later: what takes longer than 15 s is sent again.
                return self.answer(204)

            def answer(self, status):
                self.send_response(status)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.messages = messages
        self.server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def wait_for(self, instance_id, kind, seconds=60):
        """Raises queue.Empty when it does not come."""
        deadline = time.monotonic() + seconds
        while True:
            message = self.messages.get(timeout=max(deadline - time.monotonic(), 0.01))
            if (message["instanceId"], message["type"]) == (instance_id, kind):
                return message

    def close(self):
        self.server.shutdown()
        self.server.server_close()
