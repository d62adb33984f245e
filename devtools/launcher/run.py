"""`make run`: the service in the foreground, on a simulated Novita unless one is configured."""

import os
import sys
from collections.abc import Mapping

from devtools.launcher.environment import (
    ADMIN,
    Credentials,
    base_environment,
    check_port,
    keep_credentials,
    open_data_dir,
    take_data_dir,
)
from devtools.launcher.errors import LaunchError, ToldToEnd
from devtools.launcher.ports import kept_port
from devtools.launcher.service import Addresses, start_service, start_simulator
from devtools.launcher.shutdown import Shutdown
from devtools.launcher.stack import Stack, say
from novitai.env.config import ConfigError, load_config
from novitai.env.fields import Config

_UPSTREAM = ("NOVITA_API_BASE_URL", "NOVITA_API_KEY", "NOVITA_API_KEY_FILE")


def run(environ: Mapping[str, str]) -> int:
    """Serve until a signal; returns the exit code. Raises LaunchError."""
    config = _configuration(environ)
    data_dir = open_data_dir(config)
    lock = take_data_dir(data_dir)
    check_port(config)
    credentials = keep_credentials(data_dir, config)
    try:
        with (
            Shutdown(environ) as shutdown,
            Stack(data_dir, base_environment(environ), shutdown) as stack,
        ):
            _serve(stack, config, credentials)
    except ToldToEnd:
        return 0
    finally:
        os.close(lock)
    return 0


def _configuration(environ: Mapping[str, str]) -> Config:
    try:
        config = load_config(environ)
    except ConfigError as error:
        raise LaunchError(str(error)) from None
    if _names_upstream(environ) and config.novita_api_key is None:
        raise LaunchError(
            "NOVITA_API_BASE_URL is set, but NOVITA_API_KEY is not. Set NOVITA_API_KEY, or unset "
            "both to use the simulator."
        )
    return config


def _names_upstream(environ: Mapping[str, str]) -> bool:
    """True if a Novita is configured: no simulator then. An empty variable counts as unset."""
    return any(environ.get(name) for name in _UPSTREAM)


def _serve(stack: Stack, config: Config, credentials: Credentials) -> None:
    say(f"Starting (data and logs in {stack.data_dir}) ...")
    novita_url = config.novita_api_base_url
    if not _names_upstream(stack.environ):
        # The same address at every start: the service treats another address as another account.
        novita_url = start_simulator(stack, port=kept_port(stack.data_dir / "simulator_port"))
    addresses = start_service(stack, config.web_host, config.port, credentials)
    _announce(addresses, novita_url, credentials)
    say("Ctrl-C stops the service. Errors of its processes are shown here.")
    stack.watch()


def _announce(addresses: Addresses, novita_url: str, credentials: Credentials) -> None:
    lines = (
        f"API {addresses.api}",
        f"Docs {addresses.docs}",
        f"Admin {addresses.admin} {ADMIN} {credentials.admin_password}",
        f"Novita {novita_url}",
        f"Key {credentials.api_key}",
        "Ready",
    )
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()
