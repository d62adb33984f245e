"""The environment of the parts, and the contents of the data folder."""

import base64
import fcntl
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from devtools.launcher.errors import LaunchError
from devtools.launcher.ports import is_free
from devtools.launcher.process import ROOT
from novitai.env.dev_secrets import kept_secret
from novitai.env.fields import SECRET_FIELDS, Config

ADMIN = "admin"
# Variables of make, which would make a make started by us part of it.
_MAKES = ("MAKEFLAGS", "MAKELEVEL", "MFLAGS", "MAKEOVERRIDES")


@dataclass(frozen=True)
class Credentials:
    """The user's credentials, kept in the data folder: the same at every start."""

    api_key: str
    admin_password: str
    webhook_secret: str


def settings_names() -> set[str]:
    """All variables that configure the service."""
    names = {name.upper() for name in Config.model_fields}
    return names | {f"{name.upper()}_FILE" for name in SECRET_FIELDS}


def base_environment(environ: Mapping[str, str]) -> dict[str, str]:
    kept = {name: value for name, value in environ.items() if name not in _MAKES}
    return {**kept, "DJANGO_SETTINGS_MODULE": "novitai.settings", "PYTHONUNBUFFERED": "1"}


def hermetic_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment without settings of the service, above all accounts that cost money.

    PG* are defaults of every Postgres client.
    """
    dropped = settings_names()
    return {
        name: value
        for name, value in base_environment(environ).items()
        if name not in dropped and not name.startswith(("NOVITA_", "PG"))
    }


def open_data_dir(config: Config) -> Path:
    """Create it if needed, readable by its owner only."""
    data_dir = (ROOT / config.data_dir).resolve()
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise LaunchError(f"DATA_DIR {data_dir} cannot be created: {error.strerror}.") from error
    if not os.access(data_dir, os.W_OK | os.X_OK):
        raise LaunchError(f"DATA_DIR {data_dir} is not writable for this user.")
    return data_dir


def take_data_dir(data_dir: Path) -> int:
    """Lock it against a second launcher; returns the descriptor that holds the lock."""
    lock = os.open(data_dir / "launcher.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        owner = os.pread(lock, 20, 0).decode().strip()
        os.close(lock)
        raise LaunchError(
            f"Another `make run` (process {owner}) uses {data_dir}. Stop it first, or choose "
            "another folder and port: make run DATA_DIR=.data2 PORT=8001"
        ) from None
    os.truncate(lock, 0)
    os.pwrite(lock, str(os.getpid()).encode(), 0)
    return lock


def check_port(config: Config) -> None:
    if not is_free(config.web_host, config.port):
        raise LaunchError(
            f"Port {config.port} on {config.web_host} is in use or not allowed. "
            f"Choose another: make run PORT={config.port % 65535 + 1}"
        )


def keep_credentials(data_dir: Path, config: Config) -> Credentials:
    configured = config.webhook_secret
    return Credentials(
        api_key=kept_secret(data_dir / "api_key", lambda: f"nvt_{secrets.token_urlsafe(32)}"),
        admin_password=kept_secret(data_dir / "admin_password", lambda: secrets.token_urlsafe(12)),
        webhook_secret=configured.get_secret_value()
        if configured
        else kept_secret(data_dir / "webhook_secret", _new_webhook_secret),
    )


def _new_webhook_secret() -> str:
    """Standard Webhooks 1.0.0: whsec_ and 24 to 64 bytes in base64."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
