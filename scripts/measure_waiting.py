"""What 500 waits and 500 streams cost those who only ask, and how soon they hear of an event.

    python scripts/measure_waiting.py            two minutes; leaves nothing behind

Starts an embedded Postgres and the web server in a folder of their own.
"""

import http.client
import json
import os
import selectors
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
WAITS = STREAMS = 500
CALLERS = 16
SECONDS = 8.0
EVENTS = 40
PATIENCE = 60.0


def main() -> None:
    folder = Path(tempfile.mkdtemp(prefix="novitai-waiting-"))
    os.environ |= {
        "DATA_DIR": str(folder),
        "DJANGO_SETTINGS_MODULE": "novitai.settings",
        "LOG_LEVEL": "ERROR",
        "WEB_WORKERS": "2",
    }
    import django

    django.setup()
    from django.core.management import call_command

    try:
        call_command("migrate", verbosity=0)
        call_command("createcachetable", verbosity=0)
        _measure()
    finally:
        from django.db import connections

        from devtools.embedded_postgres import stop

        connections.close_all()
        stop(folder / "postgres")
        shutil.rmtree(folder, ignore_errors=True)


def _measure() -> None:
    from accounts.services import create_api_key, get_default_project

    project = get_default_project()
    key = create_api_key(project=project, name="measure", rate_limit=0)
    idle, busy = _new_instance(project), _new_instance(project)
    with socket.create_server(("127.0.0.1", 0), backlog=2048) as listener:
        port = listener.getsockname()[1]
        server = _start(listener)
        try:
            _measure_at(port, key, idle, busy, server)
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(30)


def _start(listener: socket.socket) -> "subprocess.Popen[bytes]":
    fd = listener.fileno()
    words = [sys.executable, "-m", "novitai.server", "--fd", str(fd)]
    return subprocess.Popen(words, cwd=ROOT, pass_fds=[fd])


def _measure_at(
    port: int, key: str, idle: Any, busy: Any, server: "subprocess.Popen[bytes]"
) -> None:
    _until_ready(port)
    path = f"/api/instances/{idle.public_id}"
    _ask_for(2.0, port, key, path)
    _tell("alone", _ask_for(SECONDS, port, key, path))
    _tell_state("alone", server)
    began = time.monotonic()
    waits = [_open(port, key, f"{path}/wait?status=terminated") for _ in range(WAITS)]
    streams = [_open(port, key, "/api/events/stream") for _ in range(STREAMS)]
    for stream in streams:
        stream.recv(4096)
    _say(f"opened {WAITS} waits and {STREAMS} streams in {time.monotonic() - began:.1f} s")
    _tell("beside 1000", _ask_for(SECONDS, port, key, path))
    _tell_state("beside 1000", server)
    _tell_wake_ups("500 streams", _wake_ups(streams, busy))
    answers = len([wait for wait in waits if not _has_data(wait)])
    _say(f"waits still waiting: {answers}")
    for client in waits + streams:
        client.close()
    time.sleep(1)
    one = _open(port, key, "/api/events/stream")
    one.recv(4096)
    _tell_wake_ups("one stream", _wake_ups([one], busy))
    one.close()
    _tell("alone, again", _ask_for(SECONDS, port, key, path))
    _tell_state("alone, again", server)


def _until_ready(port: int) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", "/livez")
            if connection.getresponse().status == 200:
                return
        except OSError:
            time.sleep(0.2)
    raise SystemExit("the server does not answer")


def _ask_for(seconds: float, port: int, key: str, path: str) -> list[float]:
    """How long each request of CALLERS callers took, each on a connection that it keeps."""
    taken: list[float] = []
    end = time.monotonic() + seconds
    threads = [
        threading.Thread(target=_call, args=(end, port, key, path, taken)) for _ in range(CALLERS)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return taken


def _call(end: float, port: int, key: str, path: str, taken: list[float]) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    headers = {"Authorization": f"Bearer {key}"}
    while (began := time.monotonic()) < end:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        answer.read()
        if answer.status != 200:
            raise SystemExit(f"answered {answer.status}")
        taken.append(time.monotonic() - began)
    connection.close()


def _open(port: int, key: str, path: str) -> socket.socket:
    client = socket.create_connection(("127.0.0.1", port), PATIENCE)
    client.sendall(
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {key}\r\n\r\n".encode()
    )
    return client


def _has_data(client: socket.socket) -> bool:
    with selectors.DefaultSelector() as selector:
        selector.register(client, selectors.EVENT_READ)
        return bool(selector.select(0))


def _wake_ups(streams: list[socket.socket], instance: Any) -> list[float]:
    """Seconds from the commit of an event to its arrival, for each event and stream."""
    from django.db import transaction

    from core.clock import database_now
    from instances.domain.types import Cause
    from instances.lifecycle.transitions import record_event
    from instances.models import Instance

    taken: list[float] = []
    for _ in range(EVENTS):
        with transaction.atomic():
            row = Instance.objects.select_for_update().get(pk=instance.pk)
            record_event(row, "instance.measured", cause=Cause("measure"), now=database_now())
        committed = time.monotonic()
        with selectors.DefaultSelector() as selector:
            for stream in streams:
                selector.register(stream, selectors.EVENT_READ)
            while selector.get_map():
                for key, _mask in selector.select(PATIENCE):
                    told = b"instance.measured" in key.fileobj.recv(65536)  # type: ignore[union-attr]
                    if told:
                        taken.append(time.monotonic() - committed)
                        selector.unregister(key.fileobj)
    return taken


def _new_instance(project: Any) -> Any:
    from instances.domain.types import Cause, InstanceRequest
    from instances.services import create_instance

    spec = InstanceRequest("measured", "RTX 4090", "1", "CN-HK-01")
    return create_instance(project=project, spec=spec, cause=Cause("measure")).instance


def _tell(name: str, taken: list[float]) -> None:
    _say(f"{name}: {len(taken) / SECONDS:.0f} GET/s, {_spread(taken)}")


def _tell_wake_ups(name: str, taken: list[float]) -> None:
    _say(f"commit to client, {name}: {_spread(taken)}, max {max(taken) * 1000:.1f} ms")


def _spread(taken: list[float]) -> str:
    cuts = statistics.quantiles(taken, n=20)
    return f"p50 {statistics.median(taken) * 1000:.1f} ms, p95 {cuts[-1] * 1000:.1f} ms"


def _tell_state(name: str, server: "subprocess.Popen[bytes]") -> None:
    import psutil
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND pid <> pg_backend_pid()"
        )
        (connections,) = cursor.fetchone()
    web = psutil.Process(server.pid).children()
    state = {
        "rssMiB": [round(each.memory_info().rss / 2**20, 1) for each in web],
        "threads": [each.num_threads() for each in web],
        "databaseConnections": connections,
    }
    _say(f"{name}: {json.dumps(state)}")


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
