"""A stand-in for `docker compose`: the same commands, carried out with real processes.

It is a program of its own (``install_engine`` writes the `docker` that starts it), records each
call, and keeps the processes that `up` started until `down`.
"""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil
import requests

ROOT = Path(__file__).resolve().parents[2]
_OPTIONS_WITH_VALUE = ("--project-directory", "--env-file", "--wait-timeout", "--env", "--tail")
_WITHOUT_PORT = ("worker", "receiver", "postgres")


def main(arguments: list[str]) -> int:
    """One call of `docker`; returns its exit code."""
    folder = Path(os.environ["ENGINE_FOLDER"])
    orders = json.loads((folder / "orders.json").read_text())
    words = _words(arguments)
    with (folder / "calls").open("a") as calls:
        calls.write(" ".join(words) + "\n")
    if words[:1] != ["compose"] or orders.get("fails") == words[1]:
        sys.stderr.write(f"the engine cannot {' '.join(words)}\n")
        return 1
    verb, rest = words[1], words[2:]
    if verb == "up":
        return _up(folder, orders, rest, _variables(arguments))
    if verb in ("run", "exec"):
        return _execute(orders, verb, arguments)
    if verb == "logs":
        sys.stdout.writelines(path.read_text()[-500:] for path in folder.glob("*.log"))
    if verb == "ps" and "postgres" in rest and (folder / "has_run").exists():
        sys.stdout.write("c0ffee\n")
    if verb == "down":
        end_processes(folder)
    return 0


def _words(arguments: list[str]) -> list[str]:
    """Without options: `compose up web worker`."""
    words: list[str] = []
    is_value = False
    for each in arguments:
        if is_value or each.startswith("-"):
            is_value = not is_value and each in _OPTIONS_WITH_VALUE
        else:
            words.append(each)
    return words


def _variables(arguments: list[str]) -> dict[str, str]:
    """What containers get: the file's, below the shell's, as compose ranks them."""
    name = ".env"
    if "--env-file" in arguments:
        name = arguments[arguments.index("--env-file") + 1]
    folder = (
        Path(arguments[arguments.index("--project-directory") + 1])
        if ("--project-directory" in arguments)
        else Path.cwd()
    )
    lines = (folder / name).read_text().splitlines()
    pairs = [line.split("=", 1) for line in lines if "=" in line and not line.startswith("#")]
    return {**dict(pairs), **os.environ}  # type: ignore[arg-type]


def _service_environment(orders: dict[str, str], variables: dict[str, str]) -> dict[str, str]:
    return {
        **variables,
        "DATABASE_URL": orders["database_url"],
        "NOVITA_API_BASE_URL": orders["novita_url"],
        "NOVITAI_ENV": "production",
        "WEB_WORKERS": "1",
        "TMPDIR": orders["temporary"],
    }


def _up(
    folder: Path, orders: dict[str, str], services: list[str], variables: dict[str, str]
) -> int:
    (folder / "has_run").touch()
    environment = _service_environment(orders, variables)
    for service in services:
        if service not in ("web", "worker") or service == orders.get("missing"):
            continue
        command = ["-m", "novitai.server"] if service == "web" else ["manage.py", "worker"]
        log = (folder / f"{service}.log").open("wb")
        process = subprocess.Popen(
            [sys.executable, *command],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        (folder / f"{service}.pid").write_text(str(process.pid))
    if "web" in services:
        _wait_until_alive(environment["PORT"])
    return 0


def _wait_until_alive(port: str) -> None:
    """As `--wait` does, which asks for what the image's HEALTHCHECK asks for."""
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        with suppress(requests.RequestException):
            if requests.get(f"http://127.0.0.1:{port}/livez", timeout=5).ok:
                return
        time.sleep(0.1)


def _execute(orders: dict[str, str], verb: str, arguments: list[str]) -> int:
    service, command = _service_and_command(arguments[arguments.index(verb) + 1 :])
    environment = _service_environment(orders, _variables(arguments))
    if service == "postgres":
        # In the container the socket needs no password; here the URL says where the server is.
        wrapped = [sys.executable, str(ROOT / "scripts" / "with_database.py"), *command]
        return subprocess.call(wrapped, env=environment)
    if service == "migrate":
        command = ["python", "manage.py", "migrate", "--no-input"]
    return subprocess.call([sys.executable, *command[1:]], cwd=ROOT, env=environment)


def _service_and_command(arguments: list[str]) -> tuple[str, list[str]]:
    position = 0
    while arguments[position].startswith("-"):
        position += 2 if arguments[position] in _OPTIONS_WITH_VALUE else 1
    return arguments[position], arguments[position + 1 :]


def end_processes(folder: Path) -> None:
    """End what `up` started, by pid, children included."""
    for file in folder.glob("*.pid"):
        _end(int(file.read_text()))
        file.unlink()


def _end(pid: int) -> None:
    try:
        process = psutil.Process(pid)
        family = [process, *process.children(recursive=True)]
        process.send_signal(signal.SIGTERM)
    except psutil.NoSuchProcess:
        return
    deadline = time.monotonic() + 20
    _, alive = psutil.wait_procs(family, timeout=max(deadline - time.monotonic(), 0))
    for each in alive:
        each.kill()
    psutil.wait_procs(alive, timeout=5)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
