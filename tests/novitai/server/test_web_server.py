"""The web server with its configuration, as real processes."""

import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from http.client import HTTPResponse
from pathlib import Path

import pytest
import requests

from accounts.models import Project
from accounts.services import create_api_key
from instances.models import Instance
from tests.support.web_server import PATIENCE, ROOT, served, url_of_this_database


def dead_url() -> str:
    """An address where nothing listens: no server takes port 1 (tcpmux) by itself.

    A port that was free a moment ago may be somebody else's when it is tried.
    """
    return "postgresql://nobody@127.0.0.1:1/nothing"


@pytest.fixture(scope="module")
def lost(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A service whose database is gone, for the stories that need no other."""
    with served(tmp_path_factory.mktemp("lost"), dead_url()) as url:
        yield url


def test_without_its_database_the_service_says_so_in_time(lost: str) -> None:
    live = requests.get(f"{lost}/livez", timeout=PATIENCE)
    assert live.status_code == 200
    assert live.headers["Server"] == "novitai"
    health = requests.get(f"{lost}/health", timeout=PATIENCE)
    assert health.status_code == 503
    assert health.json()["dependencies"]["database"]["cause"] == "unreachable"
    ready = requests.get(f"{lost}/readyz", timeout=PATIENCE)
    assert ready.json()["reasons"] == ["The service cannot reach its database."]
    headers = {"Authorization": "Bearer nvt_" + "a" * 40}
    answer = requests.get(f"{lost}/api/instances", headers=headers, timeout=PATIENCE)
    assert answer.status_code == 503
    assert answer.json()["error"]["code"] == "SERVICE_UNAVAILABLE"


def test_what_is_no_http_is_refused_in_the_error_format_too(lost: str) -> None:
    long = requests.get(f"{lost}/{'a' * 10_000}", timeout=PATIENCE)
    assert (long.status_code, long.json()["error"]["code"]) == (414, "URI_TOO_LONG")
    headers = requests.get(f"{lost}/livez", headers={"X-A": "a" * 10_000}, timeout=PATIENCE)
    assert (headers.status_code, headers.json()["error"]["code"]) == (431, "HEADERS_TOO_LARGE")
    host, port = lost.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=PATIENCE) as raw:
        raw.sendall(b"NONSENSE\r\n\r\n")
        answer = raw.makefile("rb").read().decode()
    assert answer.startswith("HTTP/1.1 400 ")
    assert '"code":"BAD_REQUEST"' in answer
    assert "NONSENSE" not in answer


@pytest.mark.parametrize(
    "second",
    [{"X-Forwarded-Ssl": "off"}, {"X-Forwarded-Protocol": "http"}, {"X-Forwarded-Ssl": ""}],
)
def test_headers_of_a_proxy_that_contradict_each_other_are_named(
    lost: str, second: dict[str, str]
) -> None:
    headers = {"X-Forwarded-Proto": "https", **second}
    answer = requests.get(f"{lost}/livez", headers=headers, timeout=PATIENCE)
    assert answer.status_code == 400
    assert "Let the proxy send X-Forwarded-Proto alone." in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    "word", ["https,http", "HTTPS", "https, https", "garbage", "", "on", "wss"]
)
def test_any_word_for_the_scheme_leaves_the_service_usable(lost: str, word: str) -> None:
    headers = {"X-Forwarded-Proto": word}
    assert requests.get(f"{lost}/livez", headers=headers, timeout=PATIENCE).status_code == 200


@pytest.mark.django_db(transaction=True)
def test_metrics_add_up_over_processes_and_chunked_bodies_are_read(tmp_path: Path) -> None:
    project = Project.objects.create(name="web")
    key = create_api_key(project=project, name="web", scopes=["admin"])
    headers = {"Authorization": f"Bearer {key}"}
    with served(tmp_path, url_of_this_database()) as url:
        chunks = iter([b'{"name": "a!",', b'"productName": "b", "templateId": 1}'])
        answer = requests.post(
            f"{url}/api/instances",
            data=chunks,
            headers={**headers, "Content-Type": "application/json"},
            timeout=PATIENCE,
        )
        assert answer.status_code == 400
        assert [e["field"] for e in answer.json()["error"]["validationErrors"]] == ["name"]
        pids = _ask_until_two_processes_answered(url, tmp_path)
        text = requests.get(f"{url}/api/metrics", headers=headers, timeout=PATIENCE).text
        assert _requests_to_livez(text) == sum(pids.values())
        assert "novitai_workers 0.0" in text


def _ask_until_two_processes_answered(url: str, tmp_path: Path) -> dict[str, int]:
    """A new connection each time; which process accepts it is up to the system."""
    asked = 0
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        requests.get(f"{url}/livez", timeout=PATIENCE)
        asked += 1
        files = tmp_path.glob("novitai-metrics-*/counter_*.db")
        if len(list(files)) >= 2 and asked >= 20:
            return {"all": asked}
    raise AssertionError(f"one process answered all of {asked} requests")


def _requests_to_livez(text: str) -> float:
    pattern = r"^django_http_responses_total_by_status_view_method_total\{([^}]*)\} (\S+)$"
    return sum(
        float(count)
        for labels, count in re.findall(pattern, text, re.MULTILINE)
        if 'view="livez"' in labels
    )


def test_a_configuration_that_cannot_be_used_stops_the_start_with_hints(tmp_path: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-m", "novitai.server"],
        cwd=ROOT,
        env={**os.environ, "WEB_WORKERS": "many", "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert result.returncode != 0
    assert "WEB_WORKERS" in result.stderr
    assert "Hint: web processes, 1 to 64" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.django_db(transaction=True)
def test_half_a_body_asks_for_nothing(tmp_path: Path) -> None:
    key = create_api_key(project=Project.objects.create(name="p"), name="k")
    body = b'{"name":"a","productName":"RTX 4090 24GB","templateId":"t"}'
    with served(tmp_path, url_of_this_database(), WEB_READ_TIMEOUT="1") as url:
        address = ("127.0.0.1", int(url.rsplit(":", 1)[1]))

        def post(headers: str, body: bytes, *, is_cut: bool) -> tuple[int, str]:
            with socket.create_connection(address, PATIENCE) as client:
                head = f"POST /api/instances HTTP/1.1\r\nHost: 127.0.0.1\r\n{headers}\r\n"
                head += f"Authorization: Bearer {key}\r\nContent-Type: application/json\r\n\r\n"
                client.sendall(head.encode() + body)
                if is_cut:
                    client.shutdown(socket.SHUT_WR)
                answer = HTTPResponse(client)
                answer.begin()
                return answer.status, json.loads(answer.read()).get("error", {}).get("code", "")

        longer = f"Content-Length: {len(body) + 10}"
        assert post(longer, body, is_cut=True) == (400, "BAD_REQUEST")
        assert post(longer, body, is_cut=False) == (408, "REQUEST_TIMEOUT")
        chunk = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
        coded = post("Transfer-Encoding: gzip, chunked", chunk, is_cut=False)
        assert coded == (501, "NOT_IMPLEMENTED")
        assert not Instance.objects.exists()
        assert post(f"Content-Length: {len(body)}", body, is_cut=True) == (201, "")


@pytest.mark.parametrize("chunk", [b"zz\r\n", b"ff\r\nshort"])
def test_a_broken_chunked_body_is_refused_like_any_other(lost: str, chunk: bytes) -> None:
    address = ("127.0.0.1", int(lost.rsplit(":", 1)[1]))
    with socket.create_connection(address, PATIENCE) as client:
        client.sendall(
            b"POST /api/instances HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            b"Transfer-Encoding: chunked\r\nContent-Type: application/json\r\n\r\n" + chunk
        )
        client.shutdown(socket.SHUT_WR)
        answer = client.recv(10_000)
    assert answer.startswith(b"HTTP/1.1 400 ")
