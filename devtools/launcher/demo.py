"""`make demo`: one instance from the request to the signed webhook; only Novita is simulated.

Settings of the service in the user's environment are ignored, so the demo can never buy a GPU. All
data is in a temporary folder, and all ports are free ones.
"""

import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from devtools.launcher.client import Unanswered, call
from devtools.launcher.demo_report import Report
from devtools.launcher.environment import Credentials, hermetic_environment, keep_credentials
from devtools.launcher.errors import DemoError, LaunchError, ToldToEnd
from devtools.launcher.ports import free_port
from devtools.launcher.process import Process
from devtools.launcher.service import start_service, start_simulator
from devtools.launcher.shutdown import Shutdown
from devtools.launcher.stack import Stack, say
from devtools.launcher.webhook import Webhook, find_webhook
from novitai.env.config import load_config

HOST = "127.0.0.1"
# Simulated seconds until the instance runs; a real one takes minutes.
START_SECONDS = 4
TUNING = {"INSTANCE_POLL_INTERVAL": "1", "WEB_WORKERS": "1", "WEB_THREADS": "4"}
DEADLINE_SECONDS = 60.0
POLL_SECONDS = 0.1
REQUEST = {
    "name": "my-gpu-instance",
    "productName": "A100-SXM4-40GB",
    "templateId": "tf-training-template-1",
    "gpuNum": 2,
    "rootfsSize": 100,
    "region": "US-WEST-01",
}


def demo(environ: Mapping[str, str]) -> int:
    """Run the demo; returns the exit code. Raises LaunchError if a step fails."""
    # A terminal that cannot show the tick mark must not end the demo.
    sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]
    with (
        Shutdown(environ) as shutdown,
        tempfile.TemporaryDirectory(prefix="novitai-demo-") as folder,
    ):
        data_dir = Path(folder).resolve()
        try:
            with Stack(data_dir, _environment(environ, data_dir), shutdown) as stack:
                _tell_with_logs(stack)
        except ToldToEnd:
            say("\nThe demo was stopped. Nothing is left running.")
            return 128 + (shutdown.signal or 1)
    return 0


def _environment(environ: Mapping[str, str], data_dir: Path) -> dict[str, str]:
    temporary = data_dir / "tmp"
    temporary.mkdir()
    return {**hermetic_environment(environ), **TUNING, "TMPDIR": str(temporary)}


def _tell_with_logs(stack: Stack) -> None:
    """Run the steps, and add the logs of the parts to an error of a step."""
    try:
        _tell(stack, Report())
    except (DemoError, Unanswered) as error:
        raise LaunchError(f"{error}\n{stack.logs()}") from error


def _tell(stack: Stack, report: Report) -> None:
    credentials = keep_credentials(stack.data_dir, load_config({}))
    report.title()
    api, receiver = _start(stack, credentials, report)
    request = {**REQUEST, "webhookUrl": f"{receiver}webhook"}
    report.request(f"{api}/api/instances", request)
    posted_at = time.monotonic()
    status, answer = call("POST", f"{api}/api/instances", key=credentials.api_key, body=request)
    report.answer(status, answer)
    if status != 201:
        raise DemoError(f"The request was refused with {status}: {answer}")
    instance_url = f"{api}/api/instances/{answer['instanceId']}"
    details = _follow(stack, instance_url, credentials.api_key, report, posted_at)
    report.connection(details)
    report.price(details)
    report.webhook(_await_webhook(stack, receiver, credentials, details))
    report.end()


def _start(stack: Stack, credentials: Credentials, report: Report) -> tuple[str, str]:
    """Start every part; returns the addresses of the API and of the webhook receiver."""
    simulator = start_simulator(stack, "--start-seconds", str(START_SECONDS))
    report.started("simulated Novita", simulator)
    receiver = stack.announced_url(_start_receiver(stack))
    report.started("webhook receiver", receiver)
    report.starting("Postgres, migrations, web server, worker cluster")
    addresses = start_service(stack, HOST, free_port(HOST), credentials)
    report.started("API on Postgres, worker cluster", addresses.api)
    return addresses.api, receiver


def _start_receiver(stack: Stack) -> Process:
    """Start the receiver without the secret: the demo verifies the signatures itself."""
    return stack.start("receiver", "-m", "devtools.simulator.receiver", "--port", "0")


def _follow(stack: Stack, url: str, key: str, report: Report, posted_at: float) -> dict[str, Any]:
    """Show every status until the instance runs; returns its details."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    with report.progress(posted_at) as show:
        while time.monotonic() < deadline:
            status, details = call("GET", url, key=key)
            if status != 200:
                raise DemoError(f"{url} answered {status}: {details}")
            show(details)
            if details["status"] == "running":
                return dict(details)
            if details["status"] == "failed":
                raise DemoError(f"The instance failed: {details.get('error')}")
            stack.sleep(POLL_SECONDS)
    raise DemoError(f"The instance is not running after {DEADLINE_SECONDS} s.")


def _await_webhook(
    stack: Stack, receiver: str, credentials: Credentials, details: dict[str, Any]
) -> Webhook:
    """The webhook ``instance.running``. Raises DemoError if it is missing or not genuine."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while time.monotonic() < deadline:
        found = find_webhook(receiver, details["id"], "instance.running")
        if found is not None:
            found.verify(credentials.webhook_secret)
            return found
        stack.sleep(POLL_SECONDS)
    raise DemoError(f"No webhook arrived within {DEADLINE_SECONDS} s.")
