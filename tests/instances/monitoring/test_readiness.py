"""Running is not usable: the probe asks the instance itself."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_network
from typing import Any

import pytest

from instances.monitoring.readiness import check
from tests.support.name_resolution import resolve_nothing

LOOPBACK = [ip_network("127.0.0.0/8")]
HTTP = {"type": "http", "port": 8888, "path": "/ok", "expectedStatus": 200, "timeoutSeconds": 2}
TCP = {"type": "tcp", "port": 22, "timeoutSeconds": 2}


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        found = {"/ok": 200, "/made": 201, "/moved": 302}
        self.send_response(found.get(self.path, 503))
        self.send_header("Location", "/ok")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=[0.01])
        thread.start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def ask(server: str, **changes: Any) -> str:
    return check({**HTTP, **changes}, {8888: f"http://{server}"}, allowed_networks=LOOPBACK)


def test_the_expected_status_passes(server: str) -> None:
    assert ask(server) == ""
    assert ask(server, path="/made", expectedStatus=201) == ""


def test_an_address_without_a_scheme_is_asked_too(server: str) -> None:
    assert check(HTTP, {8888: server}, allowed_networks=LOOPBACK) == ""


@pytest.mark.parametrize(("path", "status"), [("/made", 201), ("/moved", 302), ("/", 503)])
def test_any_other_status_does_not(server: str, path: str, status: int) -> None:
    assert ask(server, path=path) == f"port 8888 answered {status}, not 200"


def test_a_connection_is_enough_for_tcp(server: str) -> None:
    assert check(TCP, {22: server}, allowed_networks=LOOPBACK) == ""


def test_an_ssh_address_can_be_connected_to(server: str) -> None:
    assert check(TCP, {22: f"ssh://root@{server}"}, allowed_networks=LOOPBACK) == ""


def test_nobody_listening_is_told_in_words() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{unused.getsockname()[1]}"
        assert "refused" in check(TCP, {22: address}, allowed_networks=LOOPBACK)
        assert check(HTTP, {8888: f"http://{address}"}, allowed_networks=LOOPBACK)


def test_a_server_that_says_nothing_is_left_in_time() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        probe = {**HTTP, "timeoutSeconds": 0.2}
        assert "no answer within" in check(probe, {8888: address}, allowed_networks=LOOPBACK)


@pytest.mark.parametrize("probe", [TCP, HTTP])
def test_what_novita_does_not_publish_cannot_be_asked(probe: dict[str, Any]) -> None:
    assert check(probe, {}) == f"port {probe['port']} is not published"


@pytest.mark.parametrize("address", ["127.0.0.1:1", "169.254.169.254:80", "10.0.0.1:22"])
def test_no_probe_leads_inside(address: str) -> None:
    assert "private or reserved" in check(TCP, {22: address})
    assert "private or reserved" in check(HTTP, {8888: f"http://{address}"})


@pytest.mark.parametrize("address", ["", "nothing", "host:99999", "[::1", "http://[", "\x00:1"])
def test_an_address_that_cannot_be_read_is_an_answer_and_no_exception(address: str) -> None:
    assert check(TCP, {22: address})
    assert check(HTTP, {8888: address})


@pytest.mark.parametrize("probe", [TCP, {**HTTP, "path": "/?key=hunter2"}])
@pytest.mark.parametrize(
    "address",
    [
        "http://root:hunter2@10.0.0.1:1/hunter2?token=hunter2",
        "http://10.0.0.1:1/hunter2?token=hunter2",
        "https://127.0.0.1:1/?token=hunter2",
        "root:hunter2@127.0.0.1:1",
        "http://root:hunter2@[::1",
        "http://root:hunter2@no such host:1",
    ],
)
def test_what_it_says_holds_no_login_path_or_token(address: str, probe: dict[str, Any]) -> None:
    said = check(probe, {22: address, 8888: address}, allowed_networks=LOOPBACK)
    assert said
    assert "hunter2" not in said


def test_a_name_that_nobody_knows_is_an_answer_too(monkeypatch: pytest.MonkeyPatch) -> None:
    resolve_nothing(monkeypatch)
    assert "no address found" in check(TCP, {22: "proxy.example:22"})
