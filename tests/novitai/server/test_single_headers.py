"""A header that must be single, and came more than once in some way."""

import json
import socket
from collections.abc import Iterator
from http.client import HTTPResponse
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from accounts.models import Project
from accounts.services import create_api_key
from instances.models import Instance
from tests.novitai.refusals import error_of
from tests.support.web_server import PATIENCE, served, url_of_this_database

BODY = json.dumps({"name": "a", "productName": "RTX 4090 24GB", "templateId": "t"}).encode()


@pytest.mark.parametrize(
    "header",
    [
        "Bearer {key},Bearer {key}",
        "Bearer {key}, Bearer other",
        "bearer a,{key}",
        "Basic eDp5,{key}",
    ],
)
def test_two_keys_are_no_key(anonymous: Client, api_key: str, header: str) -> None:
    answer = anonymous.get("/api/instances", headers={"authorization": header.format(key=api_key)})
    assert "Authorization" in error_of(answer, 400, "BAD_REQUEST")["message"]
    assert api_key not in answer.content.decode()


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        ("application/json, application/json", 400),
        ("application/json,text/plain", 400),
        ('application/json; note="a,b"', 201),
        ("application/json; charset=utf-8", 201),
    ],
)
def test_two_types_are_no_type(api: Client, content_type: str, status: int) -> None:
    assert api.post("/api/instances", BODY, content_type).status_code == status


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("single")


@pytest.fixture
def address(transactional_db: None, folder: Path) -> Iterator[tuple[str, int]]:
    environ = {"WEB_WORKERS": "1", "ALLOWED_HOSTS": "service.example"}
    with served(folder, url_of_this_database(), **environ) as url:
        yield ("127.0.0.1", int(url.rsplit(":", 1)[1]))


def ask(address: tuple[str, int], *lines: str, body: bytes = b"") -> tuple[int, dict[str, Any]]:
    with socket.create_connection(address, PATIENCE) as client:
        head = "\r\n".join([*lines, "Host: 127.0.0.1", "Connection: close"])
        client.sendall(f"{head}\r\n\r\n".encode() + body)
        answer = HTTPResponse(client)
        answer.begin()
        text = answer.read()
        is_json = answer.getheader("Content-Type") == "application/json"
        return answer.status, json.loads(text) if is_json else {}


def test_lines_that_come_twice_over_the_wire(address: tuple[str, int], folder: Path) -> None:
    project = Project.objects.create(name="single")
    key = create_api_key(project=project, name="single")
    post, length = "POST /api/instances HTTP/1.1", f"Content-Length: {len(BODY)}"
    usual = [f"Authorization: Bearer {key}", "Content-Type: application/json"]
    refused = [
        [*usual, length, "Idempotency-Key: k", "Idempotency-Key: k"],
        [*usual, length, "Idempotency-Key: k", "idempotency-key: other"],
        [*usual, length, 'Idempotency-Key: "k', 'Idempotency-Key: k"'],
        [*usual, length, "Idempotency-Key: k, k"],
        [*usual, usual[0], length],
        [*usual, usual[1], length],
        [*usual, length, length],
        [*usual, f"{length}, {len(BODY)}"],
        [*usual, length, "Host: 127.0.0.1"],
        [*usual, length, "Last-Event-ID: start", "Last-Event-ID: start"],
    ]
    for lines in refused:
        status, answer = ask(address, post, *lines, body=BODY)
        assert (status, answer["error"]["retryable"]) == (400, False), lines
    assert not Instance.objects.exists()
    # What may come in several lines is one list; a name that does not fit is replaced.
    several = [
        "Accept: text/html",
        "Accept: application/json",
        "X-Request-ID: a",
        "X-Request-ID: b",
    ]
    made, _ = ask(address, post, *usual, length, "Idempotency-Key: k", *several, body=BODY)
    again, _ = ask(address, post, *usual, length, 'Idempotency-Key: "k"', body=BODY)
    assert (made, again, Instance.objects.count()) == (201, 201, 1)
    path = f"/api/instances/{Instance.objects.get().public_id}"
    tags = ['If-Match: "77"', 'If-Match: W/"1"', 'If-Match: "2", "3"']
    assert ask(address, f"GET {path} HTTP/1.1", usual[0], *tags)[0] == 200
    _paths_are_taken_from_the_request_line(address)
    _what_is_no_host_is_not_logged(address, folder / "web.log")


def _paths_are_taken_from_the_request_line(address: tuple[str, int]) -> None:
    """Not from headers, although this peer is trusted."""
    for name in ("SCRIPT_NAME", "Script_Name", "SCRIPT-NAME", "PATH_INFO", "X-Script-Name"):
        status, _ = ask(address, "GET /public/admin/login/ HTTP/1.1", f"{name}: /public")
        assert status == 404, name
    status, answer = ask(
        address, "GET /livez HTTP/1.1", "PATH_INFO: /health", "SCRIPT_NAME: /livez"
    )
    assert (status, answer) == (200, {"status": "alive"})


def _what_is_no_host_is_not_logged(address: tuple[str, int], log: Path) -> None:
    secret = "nvt_" + "s3cr3t" * 10
    for host in (f"{secret}.example", f"a b {secret}", f"{secret * 100}@", f"{secret}:port"):
        with socket.create_connection(address, PATIENCE) as client:
            client.sendall(f"GET /api HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
            assert client.recv(12) == b"HTTP/1.1 400"
    text = log.read_text()
    assert "DisallowedHost" in text
    assert f"{len(secret * 100) + 1} characters" in text
    assert "s3cr3t" not in text
