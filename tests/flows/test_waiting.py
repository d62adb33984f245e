"""Waiting beside real web processes: they are killed, stopped and outnumbered."""

import json
import os
import re
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
import requests

from accounts.models import Project
from accounts.services import create_api_key
from instances.models import Instance, InstanceEvent
from tests.devtools.launcher.launcher_process import eventually
from tests.instances.streaming.conftest import make, move
from tests.support.web_server import PATIENCE, served, serving_processes, url_of_this_database

pytestmark = pytest.mark.django_db(transaction=True)
THREADS = 4


class Web:
    """A served service and one who calls it."""

    def __init__(self, url: str, key: str) -> None:
        self.url = url
        self.headers = {"Authorization": f"Bearer {key}"}

    def get(self, path: str, **headers: str) -> requests.Response:
        return requests.get(
            self.url + path, headers=self.headers | headers, timeout=PATIENCE, stream=True
        )


@pytest.fixture
def instance(project: Project) -> Instance:
    return make(project)


@pytest.fixture
def web(tmp_path: Path, project: Project) -> Iterator[Web]:
    key = create_api_key(project=project, name="flows", scopes=["admin"], rate_limit=0)
    url = url_of_this_database()
    with served(tmp_path, url, WEB_WORKERS="2", WEB_THREADS=str(THREADS)) as address:
        yield Web(address, key)


class Follower(threading.Thread):
    """Follows the stream as EventSource does: reconnects with the last id, for ever."""

    def __init__(self, web: Web, goal: int) -> None:
        super().__init__()
        self.web, self.goal = web, goal
        self.seen: list[str] = []
        self.last = ""
        self.connections = 0
        self.is_connected = threading.Event()

    def run(self) -> None:
        deadline = time.monotonic() + 2 * PATIENCE
        while len(self.seen) < self.goal and time.monotonic() < deadline:
            try:
                self._follow()
            except requests.RequestException:
                self.is_connected.clear()

    def _follow(self) -> None:
        headers = {"Last-Event-ID": self.last} if self.last else {}
        with self.web.get("/api/events/stream", **headers) as response:
            assert response.status_code == 200
            self.connections += 1
            for line in response.iter_lines(chunk_size=1, decode_unicode=True):
                if line.startswith("id: "):
                    self.last = line[4:]
                    self.is_connected.set()
                if line.startswith("data: "):
                    self.seen.append(json.loads(line[6:])["id"])
                    if len(self.seen) >= self.goal:
                        break


def test_kill_9_of_a_web_process_costs_its_streams_nothing_but_a_reconnection(
    web: Web, project: Project
) -> None:
    rounds, clients = 12, 10
    followers = [Follower(web, goal=2 * rounds) for _ in range(clients)]
    for follower in followers:
        follower.start()
    for follower in followers:
        assert follower.is_connected.wait(PATIENCE)
    for number in range(rounds):
        if number == rounds // 2:
            os.kill(_busiest_web_process(), signal.SIGKILL)
        move(make(project), "starting")
    for follower in followers:
        follower.join(2 * PATIENCE)
    written = list(InstanceEvent.objects.order_by("pk").values_list("public_id", flat=True))
    assert all(follower.seen == written for follower in followers)
    assert sum(follower.connections for follower in followers) > clients


def _busiest_web_process() -> int:
    """The one that holds the most clients."""
    return int(max(serving_processes(), key=lambda each: len(each.net_connections("tcp"))).pid)


def test_more_waiting_than_threads_keep_no_request_from_being_answered(
    web: Web, instance: Instance
) -> None:
    path = f"/api/instances/{instance.public_id}/wait"
    with ExitStack() as open_sockets:
        waiting = [
            open_sockets.enter_context(closing(_raw(web, path))) for _ in range(4 * 2 * THREADS)
        ]
        for _ in range(20):
            with web.get(f"/api/instances/{instance.public_id}") as response:
                assert response.status_code == 200
        move(instance, "starting", "running")
        answers = [_answer(client) for client in waiting]
    assert {body["reachedStatus"] for _, body in answers} == {"running"}
    for head, _ in answers:
        names = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:])
        assert head.startswith("HTTP/1.1 200 OK\r\n")
        assert (names["connection"], names["server"]) == ("close", "novitai")
        assert names["x-request-id"].startswith("req_")
        assert names["cache-control"] == "no-store"
        assert names["content-type"] == "application/json"


def test_waiting_is_no_response_time(web: Web, instance: Instance) -> None:
    with web.get(f"/api/instances/{instance.public_id}/wait?timeout=4") as response:
        assert response.json()["waitResult"] == "timeout"
    text = web.get("/api/metrics").text
    (spent,) = re.findall(r'latency_seconds_by_view_method_sum\{.*"instance-wait"\} (\S+)', text)
    assert float(spent) < 4


def test_clients_that_left_are_forgotten_and_a_stop_answers_those_who_stayed(
    tmp_path: Path, project: Project, instance: Instance
) -> None:
    key = create_api_key(project=project, name="flows")
    path = f"/api/instances/{instance.public_id}/wait"
    with ExitStack() as stack:
        running = ExitStack()
        address = running.enter_context(served(tmp_path, url_of_this_database(), WEB_WORKERS="1"))
        web = Web(address, key)
        _raw(web, path).close()
        client = stack.enter_context(closing(_raw(web, path)))
        # Both requests have been through the view, and are on their way into the loop's hands.
        assert eventually(lambda: (tmp_path / "web.log").read_text().count("<str:id>/wait") >= 2)
        stream = stack.enter_context(closing(_raw(web, "/api/events/stream")))
        # Its first line says that the wait before it, in the same process, is held as well.
        assert stream.recv(1000).startswith(b"HTTP/1.1 200 OK\r\n")
        # Nothing that follows a wait is answered, so that much of it is too much.
        talker = stack.enter_context(closing(_raw(web, path)))
        with pytest.raises(ConnectionError):
            talker.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 1_000_000)
        running.close()
        assert _answer(client)[1]["waitResult"] == "shutdown"
        assert b"".join(iter(lambda: stream.recv(1000), b"")) is not None


def _raw(web: Web, path: str) -> socket.socket:
    client = socket.create_connection(("127.0.0.1", int(web.url.rsplit(":", 1)[1])), PATIENCE)
    lines = [f"GET {path} HTTP/1.1", "Host: 127.0.0.1"]
    lines += [f"{name}: {value}" for name, value in web.headers.items()]
    client.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
    return client


def _answer(client: socket.socket) -> tuple[str, dict[str, Any]]:
    """The answer ends with the connection."""
    text = b"".join(iter(lambda: client.recv(65536), b"")).decode()
    head, body = text.split("\r\n\r\n", 1)
    return head, json.loads(body)
