"""What the parts find in their environment."""

import os
import socket
from pathlib import Path

import pytest

from devtools.launcher.environment import (
    hermetic_environment,
    keep_credentials,
    settings_names,
    take_data_dir,
)
from devtools.launcher.errors import LaunchError
from devtools.launcher.ports import free_port, is_free, kept_port
from novitai.env.config import load_config


def test_nothing_that_configures_the_service_reaches_the_demo() -> None:
    hostile = dict.fromkeys(settings_names(), "x") | {"NOVITA_NEW": "x", "PGSERVICE": "x"}
    kept = hermetic_environment({**hostile, "PATH": "/bin", "MAKEFLAGS": "n", "TMPDIR": "/t"})
    assert set(kept) == {"PATH", "TMPDIR", "DJANGO_SETTINGS_MODULE", "PYTHONUNBUFFERED"}


def test_a_configured_webhook_secret_is_used_and_not_kept(tmp_path: Path) -> None:
    secret = "whsec_" + "YWFh" * 10
    kept = keep_credentials(tmp_path, load_config({"WEBHOOK_SECRET": secret}))
    assert kept.webhook_secret == secret
    assert not (tmp_path / "webhook_secret").exists()


def test_a_made_webhook_secret_is_one_that_the_configuration_takes(tmp_path: Path) -> None:
    made = keep_credentials(tmp_path, load_config({})).webhook_secret
    assert load_config({"WEBHOOK_SECRET": made}).webhook_secret is not None


def test_two_launchers_cannot_have_one_data_folder(tmp_path: Path) -> None:
    lock = take_data_dir(tmp_path)
    with pytest.raises(LaunchError, match=f"uses {tmp_path}"):
        take_data_dir(tmp_path)
    os.close(lock)
    os.close(take_data_dir(tmp_path))


def test_a_kept_port_stays_until_somebody_else_has_it(tmp_path: Path) -> None:
    path = tmp_path / "port"
    port = kept_port(path)
    assert kept_port(path) == port
    with socket.create_server(("127.0.0.1", port)):
        assert not is_free("127.0.0.1", port)
        other = kept_port(path)
    assert other != port
    assert kept_port(path) == other


def test_a_free_port_is_free() -> None:
    assert is_free("127.0.0.1", free_port())
