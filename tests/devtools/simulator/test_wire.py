"""Faults as a real client meets them, over a real socket."""

import json
import socket
import threading

import pytest
import requests

from devtools.simulator.api import GPU_BASE
from devtools.simulator.server import Server
from tests.devtools.simulator.conftest import BODY, KEY, Cloud


@pytest.fixture
def wire():
    """A listening simulator in this process: base URL and the cloud behind it."""
    cloud, stopping = Cloud(), threading.Event()
    server = Server(("127.0.0.1", 0), cloud.control.handle, stopping)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    cloud.url = f"http://127.0.0.1:{server.server_port}{GPU_BASE}"
    yield cloud
    stopping.set()
    server.shutdown()
    server.server_close()
    thread.join()
    cloud.world.close()


@pytest.fixture
def client():
    with requests.Session() as session:
        session.headers["Authorization"] = f"Bearer {KEY}"
        yield session


def fault(wire, **fields):
    wire.sim("POST", "/faults", fields)


def create(wire, client, timeout=5):
    return client.post(f"{wire.url}/gpu/instance/create", json=BODY, timeout=timeout)


def made(wire):
    return len(wire.sim("GET", "/ledger")["instances"])


def test_a_connection_is_kept_alive_over_many_calls(wire, client):
    for _ in range(3):
        assert client.get(f"{wire.url}/clusters", timeout=5).status_code == 200
    (pool,) = client.adapters["http://"].poolmanager.pools._container.values()
    assert pool.num_connections == 1


def test_a_refused_call_leaves_the_connection_usable(wire, client):
    assert client.post(f"{wire.url}/gpu/instance/create", json={}, timeout=5).status_code == 400
    assert create(wire, client).status_code == 200


def test_half_a_request_does_nothing(wire, client):
    body = json.dumps(BODY)
    head = f"POST {GPU_BASE}/gpu/instance/create HTTP/1.1\r\nHost: x\r\n"
    head += f"Authorization: Bearer {KEY}\r\nContent-Type: application/json\r\n"
    head += f"Content-Length: {len(body) + 1}\r\n\r\n"
    port = int(wire.url.removesuffix(GPU_BASE).rsplit(":", 1)[1])
    with socket.create_connection(("127.0.0.1", port), timeout=5) as half:
        half.sendall((head + body).encode())
        half.shutdown(socket.SHUT_WR)
        assert half.recv(1000) == b""
    assert made(wire) == 0


@pytest.mark.parametrize("effect", ["reset", "close"])
@pytest.mark.parametrize(("when", "count"), [("before", 0), ("after", 1)])
def test_a_severed_call_raises_at_the_client(wire, client, effect, when, count):
    fault(wire, effect=effect, when=when, count=1)
    with pytest.raises(requests.ConnectionError) as caught:
        create(wire, client)
    assert ("reset by peer" in str(caught.value)) is (effect == "reset")
    assert made(wire) == count
    assert create(wire, client).status_code == 200


def test_a_hang_outlives_the_clients_timeout_although_the_call_happened(wire, client):
    fault(wire, effect="hang", when="after", count=1)
    with pytest.raises(requests.ReadTimeout):
        create(wire, client, timeout=0.2)
    assert made(wire) == 1


def test_a_502_after_the_action_hides_the_instance(wire, client):
    fault(wire, effect="status", when="after", status=502, answer="<html>", count=1)
    reply = create(wire, client)
    assert (reply.status_code, reply.text) == (502, "<html>")
    assert made(wire) == 1


def test_a_drip_is_slow_but_true(wire, client):
    fault(wire, effect="drip", drip_bytes=200, drip_seconds=0.001, count=1)
    dripped = client.get(f"{wire.url}/clusters", timeout=5).json()
    assert dripped == client.get(f"{wire.url}/clusters", timeout=5).json()


def test_a_drip_outlasts_a_timeout_that_counts_from_the_last_byte(wire, client):
    fault(wire, effect="drip", drip_bytes=1, drip_seconds=0.01, count=1)
    with client.get(f"{wire.url}/clusters", timeout=1, stream=True) as reply:
        assert next(reply.iter_content(1)) == b"{"


def test_an_oversized_body_is_refused(wire):
    head = {"Content-Length": str(10**9), "Authorization": f"Bearer {KEY}"}
    with requests.Session() as session:
        request = requests.Request("POST", f"{wire.url}/gpu/instance/create").prepare()
        request.headers.update(head)
        assert session.send(request, timeout=5).status_code == 413


def test_unicode_names_survive_the_wire(wire, client):
    wire.settings(unicode=True)
    names = [c["name"] for c in client.get(f"{wire.url}/clusters", timeout=5).json()["data"]]
    assert any("云" in name for name in names)
