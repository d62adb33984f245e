"""`scripts/health-check.sh`: an exit code for programs, a line for people."""

import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from devtools.faults.real.databases import Database
from devtools.launcher.ports import free_port
from tests.scripts.checkouts import Checkout
from tests.support.web_server import served

HEALTHY = b'{"status":"healthy","services":{"novitaApi":"up","jobQueue":"up","cache":"up"}}'
SICK = (
    b'{"status":"unhealthy","services":{"novitaApi":"down","jobQueue":"up"},'
    b'"reasons":["Novita refuses the key"]}'
)


@contextmanager
def answering(*answers: tuple[int, bytes]) -> Iterator[str]:
    """The answers in turn, the last one for ever."""
    left = list(answers)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = left.pop(0) if len(left) > 1 else left[0]
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Tests have nobody who reads it."""

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_real_service_without_a_worker_is_reported_as_such(
    checkout: Checkout, database: Database, tmp_path: Path
) -> None:
    with served(tmp_path, database.url) as url:
        ready = checkout.run("health-check.sh", "--path", "/livez", "--wait", "30", url)
        whole = checkout.run("health-check.sh", url + "/")

    assert (whole.code, ready.code) == (1, 0), whole.output
    assert whole.output.startswith(f"{url}/health: unhealthy (")
    assert "jobQueue down" in whole.output
    assert len(whole.output.splitlines()) == 1


@pytest.mark.parametrize(
    ("answer", "code", "words"),
    [
        ((200, HEALTHY), 0, "healthy (novitaApi up, jobQueue up, cache up)"),
        ((503, SICK), 1, "unhealthy (novitaApi down, jobQueue up): Novita refuses the key"),
        ((503, b"<html>upstream</html>"), 1, "unhealthy"),
        ((404, b"{}"), 2, "answered 404"),
        ((200, b""), 2, "answered 200, which is no answer of /health"),
        ((200, b"<html>welcome</html>"), 2, "answered 200, which is no answer of /health"),
    ],
)
def test_the_line_says_what_the_code_means(
    checkout: Checkout, answer: tuple[int, bytes], code: int, words: str
) -> None:
    with answering(answer) as url:
        # A proxy of the environment, and CDPATH, are no business of ours.
        variables = {"http_proxy": "http://127.0.0.1:9", "CDPATH": "/:."}
        done = checkout.run("health-check.sh", url, **variables)

    assert done.code == code
    assert words in done.output


def test_it_waits_until_the_service_is_healthy_and_no_longer(checkout: Checkout) -> None:
    with answering((503, SICK), (200, HEALTHY)) as url:
        done = checkout.run("health-check.sh", "--wait", "20", url)
    with answering((503, SICK)) as url:
        late = checkout.run("health-check.sh", "--wait", "1", "--quiet", url)

    assert done.code == 0
    assert (late.code, late.output) == (1, "")


def test_the_port_comes_from_the_settings(checkout: Checkout) -> None:
    port = free_port()
    for line in (f'PORT="{port}"\r', f"PORT={port} # the web server's", f"PORT={port}  "):
        checkout.write_env(f"{line}\n")
        done = checkout.run("health-check.sh")
        assert done.code == 2
        assert f"http://127.0.0.1:{port}/health: no answer" in done.output


@pytest.mark.parametrize(
    "arguments",
    [
        *(["--wait", "soon"], ["--wait", "08"], ["--wait", "9" * 20], ["--wait"]),
        *(["--path", "/admin"], ["--what"], ["http://127.0.0.1:9", "http://127.0.0.1:9"]),
    ],
)
def test_a_wrong_call_has_a_code_of_its_own(checkout: Checkout, arguments: list[str]) -> None:
    done = checkout.run("health-check.sh", *arguments)
    assert done.code == 64
    assert "--help" in done.complaints
