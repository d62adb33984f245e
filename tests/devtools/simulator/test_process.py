"""Real processes: announcement, death, restart, speed, many clients at once."""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from devtools.simulator.control import ControlCallError
from devtools.simulator.process import ROOT, SimulatorProcess
from tests.devtools.simulator.conftest import BODY


@pytest.fixture
def simulator(tmp_path):
    with SimulatorProcess(state=tmp_path / "a folder" / "state.db", start_seconds=5) as process:
        yield process


def client_of(process):
    session = requests.Session()
    session.headers["Authorization"] = f"Bearer {process.api_key}"
    return session


def create(session, process, name="one", **fields):
    body = {**BODY, "gpuNum": 1, "name": name, **fields}
    reply = session.post(f"{process.url}/gpu/instance/create", json=body, timeout=10)
    reply.raise_for_status()
    return reply.json()["id"]


def test_kill_minus_nine_loses_nothing_that_was_answered(simulator):
    simulator.control.add_fault("status", status=503, path="/clusters", count=2)
    with client_of(simulator) as session:
        ids = [create(session, simulator, f"n{number}") for number in range(20)]
        url, status = simulator.url, session.get(f"{simulator.url}/clusters", timeout=5).status_code
        assert simulator.kill() == -signal.SIGKILL
        simulator.restart()
        assert (simulator.url, status) == (url, 503)
        assert [truth.id for truth in simulator.control.ledger().instances] == ids
        assert len(simulator.control.ledger().calls) == 20
        codes = [session.get(f"{url}/clusters", timeout=5).status_code for _ in range(2)]
        assert codes == [503, 200]


def test_many_clients_at_once_make_exactly_what_was_answered(simulator):
    def work(worker):
        with client_of(simulator) as session:
            return [create(session, simulator, f"w{worker}-{n}") for n in range(10)]

    with ThreadPoolExecutor(16) as pool:
        ids = [made for batch in pool.map(work, range(16)) for made in batch]
    assert len(set(ids)) == 160
    assert {truth.id for truth in simulator.control.ledger().instances} == set(ids)


def test_the_last_gpus_are_sold_once_however_many_want_them(simulator):
    def attempt(number):
        with client_of(simulator) as session:
            body = {**BODY, "productId": "4090.16c62g.os", "gpuNum": 1, "name": f"n{number}"}
            url = f"{simulator.url}/gpu/instance/create"
            return session.post(url, json=body, timeout=10).status_code

    with ThreadPoolExecutor(12) as pool:
        codes = list(pool.map(attempt, range(12)))
    assert sorted(codes) == [200] * 6 + [400] * 6


def test_time_can_run_fast_and_be_pushed(simulator):
    control = simulator.control
    control.set_scale(0)
    with client_of(simulator) as session:
        first = create(session, simulator)
        start_ms = control.now_ms()
        assert control.advance(3600) == start_ms + 3_600_000
        control.set_scale(10_000)
        create(session, simulator, "two")
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            if {truth.status for truth in control.ledger().instances} == {"running"}:
                break
    assert {truth.status for truth in control.ledger().instances} == {"running"}
    assert control.ledger().instances[0].id == first


def test_the_typed_control_knows_every_event(simulator):
    control = simulator.control
    theirs = control.make_instance("theirs", billingMode="spot")
    assert control.order(theirs.id, "run").status == "running"
    assert control.ledger().alive("foreign")[0].id == theirs.id
    assert control.ledger().alive() == []
    assert control.ledger().named("theirs")[0].gpu_num == 1
    control.set_stock(free=0)
    control.clear_stock()
    assert control.settings(list_lag_seconds=3)["list_lag_seconds"] == 3
    assert control.settings()["list_lag_seconds"] == 3
    fault = control.add_fault("reset", path="/x")
    assert len(control.faults()) == 1
    control.clear_faults(fault["id"])
    assert control.faults() == []
    assert control.edge("kong_404", path="/x")["status"] == 404
    control.clear_faults()
    assert control.blind(list="empty", ids=[theirs.id])["holds"]
    assert control.blindness()["ids"] == [theirs.id]
    control.end_blindness()
    assert control.blindness()["list"] == "normal"
    control.refuse_key(status=403, reason="INVALID_API_KEY")
    assert control.settings()["refused_key"] == {"status": 403, "reason": "INVALID_API_KEY"}
    control.accept_key()
    assert control.settings()["refused_key"] is None
    control.refuse_account(reason="CREATE_INSTANCE_LIMIT")
    assert control.settings()["account_refusal"] == {"reason": "CREATE_INSTANCE_LIMIT"}
    control.accept_account()
    assert control.settings()["account_refusal"] is None
    assert control.make_template("900", rootfsSize=200)["rootfsSize"] == 200
    control.reset_calls()
    assert control.calls()["total"] == 0
    with pytest.raises(ControlCallError, match="unknown order"):
        control.order(theirs.id, "dance")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_announces_itself_in_one_line_and_ends_cleanly_on_a_signal(tmp_path, number):
    command = [sys.executable, "-m", "devtools.simulator", f"--state={tmp_path / 's'}"]
    env = {**os.environ, "SIMULATOR_API_KEY": "k"}
    with subprocess.Popen(command, cwd=ROOT, env=env, stdout=-1, stderr=-1, text=True) as child:
        line = child.stdout.readline()
        try:
            child.send_signal(number)
            out, err = child.communicate(timeout=20)
        finally:
            child.kill()
    assert line.startswith("Simulator http://127.0.0.1:")
    assert line.endswith("/gpu-instance/openapi/v1\n")
    assert (child.returncode, out, err) == (0, "", "")


@pytest.mark.parametrize(
    ("module", "variable", "option"),
    [
        ("devtools.simulator", "SIMULATOR_API_KEY", "--api-key-file"),
        ("devtools.simulator.receiver", "RECEIVER_SECRET", "--secret-file"),
    ],
)
def test_a_secret_comes_by_environment_or_file_and_no_process_list_shows_it(
    tmp_path, module, variable, option
):
    (tmp_path / "secret").write_text("whsec_c2VjcmV0\n")
    state = [f"--state={tmp_path / 's'}"] if module == "devtools.simulator" else []
    ways = ([], {variable: "whsec_c2VjcmV0"}), ([f"{option}={tmp_path / 'secret'}"], {})
    for options, environment in ways:
        env = {**os.environ, **environment}
        command = [sys.executable, "-m", module, *state, *options]
        with subprocess.Popen(command, cwd=ROOT, env=env, stdout=-1, text=True) as child:
            try:
                url = child.stdout.readline().split()[1]
                shown = Path(f"/proc/{child.pid}/cmdline").read_bytes()
                answers = _answer_to("whsec_c2VjcmV0", module, url)
            finally:
                child.terminate()
        assert b"whsec_c2VjcmV0" not in shown
        assert answers


def _answer_to(key, module, url):
    """Whether the process knows the secret: it takes the key, or checks by it."""
    if module == "devtools.simulator":
        answer = requests.get(f"{url}/clusters", headers={"Authorization": f"Bearer {key}"})
        return answer.status_code == 200
    requests.post(url, data=b"{}")
    kept = requests.get(f"{url}_receiver/deliveries").json()["deliveries"]
    return kept[0]["verified"] not in (None, "ok")


def test_processes_started_from_tests_show_no_secret_either(simulator):
    shown = Path(f"/proc/{simulator.pid}/cmdline").read_bytes()
    assert simulator.api_key.encode() not in shown


def test_without_any_key_it_does_not_start(tmp_path):
    env = {name: value for name, value in os.environ.items() if name != "SIMULATOR_API_KEY"}
    command = [sys.executable, "-m", "devtools.simulator", f"--state={tmp_path / 's'}"]
    ended = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True)
    assert ended.returncode == 2
    assert "SIMULATOR_API_KEY" in ended.stderr
