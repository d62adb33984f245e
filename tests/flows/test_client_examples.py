"""The client examples, run as their README says, against a running service."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

import pytest

from devtools.faults.real.stack import SECRET, Stack
from tests.support.node import NODE

EXAMPLES = Path(__file__).resolve().parents[2] / "client-examples"
QUICKSTARTS = {
    "python": [sys.executable, "python/quickstart.py"],
    "nodejs": [NODE, "nodejs/quickstart.mjs"],
    "curl": ["sh", "curl/quickstart.sh"],
}
VERIFY = ["sh", "curl/verify-webhook.sh"]
each_language = pytest.mark.parametrize("language", QUICKSTARTS)


class Outcome(NamedTuple):
    code: int
    output: str
    errors: str

    @property
    def told(self) -> str:
        return f"\n{self.output}{self.errors}"


def run(command: list[str], *, stdin: bytes | None = None, **variables: str) -> Outcome:
    environment = {"PATH": os.environ["PATH"], **variables}
    done = subprocess.run(
        command, cwd=EXAMPLES, env=environment, input=stdin, capture_output=True, timeout=90
    )
    return Outcome(done.returncode, done.stdout.decode(), done.stderr.decode())


def access_to(url: str, key: str) -> dict[str, str]:
    return {"NOVITAI_URL": url, "NOVITAI_API_KEY": key, "WEBHOOK_SECRET": SECRET}


@pytest.fixture(scope="module")
def outcomes(shared_stack: Stack) -> dict[str, Outcome]:
    """Side by side: a termination takes two reads that lie ten seconds apart."""
    access = access_to(shared_stack.url, shared_stack.key)
    hook = {"WEBHOOK_URL": shared_stack.receiver.control.url("/curl")}
    with ThreadPoolExecutor() as pool:
        running = {
            language: pool.submit(run, command, **access, **(hook if language == "curl" else {}))
            for language, command in QUICKSTARTS.items()
        }
        return {language: future.result() for language, future in running.items()}


@each_language
def test_an_example_goes_from_the_request_to_the_end(
    stack: Stack, outcomes: dict[str, Outcome], language: str
) -> None:
    outcome = outcomes[language]
    assert outcome.code == 0, outcome
    for expected in ("created ", "status running", "ssh ", "jupyter ", "status terminated"):
        assert f"\n{expected}" in outcome.told
    instance_id = outcome.output.split("created ")[1].split()[0]
    details = stack.get(instance_id)
    assert details["status"] == "terminated"
    mine = [t for t in stack.truths(instance_id) if t.id == details["novitaInstanceId"]]
    assert [truth.is_alive for truth in mine] == [False]
    if language != "curl":
        assert "\nverified instance.running evt_" in outcome.told


def test_a_message_on_the_wire_is_verified_in_the_shell_and_a_forgery_is_not(stack: Stack) -> None:
    instance_id = stack.create()
    stack.wait_for_message(instance_id, "instance.running")
    delivery = stack.receiver.control.deliveries("/hook")[-1]
    head = "".join(f"{name}: {value}\r\n" for name, value in delivery["headers"].items())
    body = delivery["body"]
    body = body if isinstance(body, bytes) else body.encode()
    request = f"POST /hook HTTP/1.1\r\n{head}\r\n".encode() + body
    genuine = run(VERIFY, stdin=request, WEBHOOK_SECRET=SECRET)
    assert (genuine.code, genuine.output.encode()) == (0, body)
    forged = run(VERIFY, stdin=request.replace(b"running", b"stopped"), WEBHOOK_SECRET=SECRET)
    assert (forged.code, forged.output) == (1, "")
    assert "wrong" in forged.errors
    for moment in (b"timestamp: 16", b"timestamp: 0", b"timestamp: x"):
        changed = request.replace(b"timestamp: 17", moment)
        assert run(VERIFY, stdin=changed, WEBHOOK_SECRET=SECRET).code == 1
    assert run(VERIFY, stdin=b"", WEBHOOK_SECRET=SECRET).code == 1


@each_language
def test_an_example_says_why_it_is_refused(stack: Stack, language: str) -> None:
    outcome = run(QUICKSTARTS[language], **access_to(stack.url, "nvt_wrong"))
    assert (outcome.code, outcome.output) == (1, "")
    assert "401 UNAUTHORIZED" in outcome.errors
    assert "Traceback" not in outcome.errors


class Troubled(BaseHTTPRequestHandler):
    """A service that is away at first, and whose instance then fails."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/api/webhooks":
            return self.answer(201, {"id": "ep_1", "secret": "whsec_c2VjcmV0c2VjcmV0c2VjcmV0"})
        keys: list[str] = self.server.keys  # type: ignore[attr-defined]
        keys.append(self.headers["Idempotency-Key"])
        if len(keys) == 1:
            error = {"code": "SERVICE_UNAVAILABLE", "message": "away", "retryable": True}
            self.answer(503, {"error": error})
        else:
            self.answer(201, {"instanceId": "inst_1"})
        return None

    def do_GET(self) -> None:
        has_ended = self.server.has_ended  # type: ignore[attr-defined]
        status, result = ("terminated", "reached") if has_ended else ("failed", "unreachable")
        answer = {"id": "inst_1", "status": status, "reached": has_ended, "waitResult": result}
        self.answer(200, answer)

    def do_DELETE(self) -> None:
        if self.path == "/api/webhooks/ep_1":
            self.send_response(204)
            self.end_headers()
            return
        self.server.has_ended = True  # type: ignore[attr-defined]
        self.answer(202, {"instanceId": "inst_1", "status": "terminating"})

    def answer(self, status: int, body: object) -> None:
        data = json.dumps(body, separators=(",", ":")).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Retry-After", "0")
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


@pytest.fixture
def troubled() -> Iterator[ThreadingHTTPServer]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Troubled) as server:
        server.keys, server.has_ended = [], False  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@each_language
def test_an_example_repeats_itself_under_one_key_and_ends_what_it_began(
    troubled: ThreadingHTTPServer, language: str
) -> None:
    url = f"http://127.0.0.1:{troubled.server_port}"
    outcome = run(QUICKSTARTS[language], **access_to(url, "nvt_any"))
    assert outcome.code == 1
    assert "inst_1 is failed" in outcome.errors
    assert "status terminated" in outcome.told
    first, second = troubled.keys  # type: ignore[attr-defined]
    assert first == second
    assert len(first) >= 16
    assert troubled.has_ended  # type: ignore[attr-defined]
