"""Starts the simulator and the service in order, for both `make run` and `make demo`."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from devtools.launcher.environment import ADMIN, Credentials
from devtools.launcher.stack import Stack

SIMULATOR_KEY = "sim-key"


@dataclass(frozen=True)
class Addresses:
    """URLs of the service."""

    api: str

    @property
    def docs(self) -> str:
        return f"{self.api}/api/docs"

    @property
    def admin(self) -> str:
        return f"{self.api}/admin/"


def start_simulator(stack: Stack, *options: str, port: int = 0) -> str:
    """Start the simulator and point the service at it; returns its base URL.

    If the process is started again it needs the same port, so the port must be in its command.
    """
    state = stack.data_dir / "simulator.sqlite3"
    kept = stack.environ
    # Not in the arguments: every user can read those in a process list.
    stack.environ = {**kept, "SIMULATOR_API_KEY": SIMULATOR_KEY}
    process = stack.start(
        "simulator",
        *("-m", "devtools.simulator", "--port", str(port), "--state", str(state)),
        *("--endpoint-host", "127.0.0.1", *options),
    )
    url = stack.announced_url(process)
    stack.environ = {**kept, "NOVITA_API_BASE_URL": url, "NOVITA_API_KEY": SIMULATOR_KEY}
    return url


def start_service(stack: Stack, host: str, port: int, credentials: Credentials) -> Addresses:
    """Start database, keys and users, then web server and workers; return when all are ready."""
    stack.environ |= {
        "DATA_DIR": str(stack.data_dir),
        "WEB_HOST": host,
        "PORT": str(port),
    }
    if not stack.environ.get("WEBHOOK_SECRET_FILE"):
        stack.environ["WEBHOOK_SECRET"] = credentials.webhook_secret
    _prepare(stack, credentials)
    stack.start("web", "-m", "novitai.server", "--stop-seconds", "5")
    stack.start("worker", "manage.py", "worker")
    addresses = Addresses(_url(host, port))
    stack.wait_until_ready(addresses.api)
    return addresses


def _prepare(stack: Stack, credentials: Credentials) -> None:
    """Pass secrets to this command only, and by environment: all users can read arguments."""
    kept = stack.environ
    stack.environ = {
        **kept,
        "DEVELOPMENT_API_KEY": credentials.api_key,
        "ADMIN_PASSWORD": credentials.admin_password,
    }
    stack.run_once("prepare", "manage.py", "prepare_development", "--username", ADMIN)
    stack.environ = kept


def _url(host: str, port: int) -> str:
    """An address that a browser on this machine can open, even if the server listens on all."""
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, host)  # noqa: S104 - not bound here
    host = f"[{host}]" if ":" in host and not host.startswith("[") else host
    return urlsplit(f"http://{host}:{port}").geturl()
