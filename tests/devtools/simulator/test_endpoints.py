"""Where ports of instances answer: at the simulator itself, if it is told under which name."""

import re
from ipaddress import ip_network

import pytest

from devtools.simulator.control import SimulatorControl
from devtools.simulator.process import SimulatorProcess
from instances.monitoring.readiness import check
from tests.devtools.simulator.conftest import BODY
from tests.devtools.simulator.test_process import client_of

OWN = "127.0.0.1:4100"
HTTP = {"type": "http", "port": 8888, "path": "/api/status?x=1", "timeoutSeconds": 5}
TCP = {"type": "tcp", "port": 22, "timeoutSeconds": 5}


@pytest.fixture
def local(cloud):
    cloud.world.own_address = OWN
    return cloud


def endpoints(cloud, instance_id):
    ports = cloud.instance(instance_id)["portMappings"]
    return {mapping["port"]: mapping["endpoint"] for mapping in ports}


def ask(cloud, instance_id, port=8888, path="/"):
    return cloud.send("GET", f"/endpoints/{instance_id}/{port}{path}", key="").status


def test_endpoints_have_the_kinds_of_the_service_and_lead_to_the_simulator(local):
    instance_id = local.running(tools=[{"name": "Jupyter", "port": "8888", "type": "http"}])
    http = f"http://{OWN}/endpoints/{instance_id}/8888"
    assert endpoints(local, instance_id) == {8888: http, 22: OWN}
    body = local.instance(instance_id)
    assert body["connectComponentSSH"]["sshCommand"] == "ssh -p 4100 root@127.0.0.1"
    assert body["connectComponentJupyter"]["address"] == http
    terminal = body["connectComponentWebTerminal"]["address"]
    assert terminal == f"http://{OWN}/endpoints/{instance_id}/2222"
    assert "novita.ai" not in str(body)


def test_they_are_published_as_late_as_ever(local):
    assert endpoints(local, local.create()) == {8888: "", 22: ""}


def test_a_published_port_answers_whatever_is_asked_of_it(local):
    instance_id = local.running()
    assert ask(local, instance_id) == 200
    assert ask(local, instance_id, path="/lab/tree?token=1") == 200
    assert ask(local, instance_id, port=2222) == 200
    assert ask(local, instance_id, port=80) == 404
    assert ask(local, instance_id, port="x") == 404
    assert ask(local, "ffffffffffffffff") == 404
    local.settings(endpoint_status=401)
    assert ask(local, instance_id) == 401


def test_what_does_not_run_does_not_answer(local):
    instance_id = local.running()
    local.act("stop", instance_id)
    local.advance(10)
    assert ask(local, instance_id) == 502


def test_a_name_says_that_its_ports_never_answer(local):
    instance_id = local.running(name="a-never-ready-1")
    assert ask(local, instance_id) == 503
    assert endpoints(local, instance_id)[22] == "127.0.0.1:1"
    local.settings(unusable_names="")
    assert ask(local, instance_id) == 200
    assert endpoints(local, instance_id)[22] == OWN


def test_ports_may_answer_some_time_after_running(local):
    local.settings(usable_after_seconds=30)
    instance_id = local.running()
    assert (local.status(instance_id), ask(local, instance_id)) == ("running", 503)
    local.advance(30)
    assert ask(local, instance_id) == 200


def verdict(simulator, probe, name):
    """What the service's own probe says of a new instance."""
    with client_of(simulator) as session:
        create_body = {**BODY, "gpuNum": 1, "name": name}
        made = session.post(
            f"{simulator.url}/gpu/instance/create", json=create_body, timeout=10
        ).json()
        simulator.control.advance(60)
        query = {"instanceId": made["id"]}
        body = session.get(f"{simulator.url}/gpu/instance", params=query, timeout=10).json()
    addresses = {each["port"]: each["endpoint"] for each in body["portMappings"]}
    return check(probe, addresses, allowed_networks=[ip_network("127.0.0.0/8")])


def test_real_probes_pass_and_fail_as_the_name_says():
    with SimulatorProcess(endpoint_host="127.0.0.1", start_seconds=5) as simulator:
        assert isinstance(simulator.control, SimulatorControl)
        assert verdict(simulator, HTTP, "good") == ""
        assert verdict(simulator, TCP, "good") == ""
        assert verdict(simulator, HTTP, "never-ready") == "port 8888 answered 503, not 200"
        assert re.search("refused", verdict(simulator, TCP, "never-ready"))
        simulator.restart()
        assert verdict(simulator, HTTP, "good") == ""
