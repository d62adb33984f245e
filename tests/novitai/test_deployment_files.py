"""The container files say the same as the configuration."""

import re
from pathlib import Path
from typing import Any

import yaml

from novitai.env.config import load_config
from novitai.env.fields import Config

ROOT = Path(__file__).resolve().parents[2]
# Fixed by the image or composed from other variables.
NOT_PASSED_ON = {"DATA_DIR", "WEB_HOST", "PORT"}


def compose() -> dict[str, Any]:
    """With YAML's anchors resolved, but without compose's variables."""
    parsed: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return parsed


def demo_variables() -> dict[str, str]:
    text = (ROOT / "deploy" / "demo.env").read_text()
    return dict(re.findall(r"^([A-Z_]+)=(.*)$", text, re.MULTILINE))


def test_web_and_worker_get_every_variable_that_there_is() -> None:
    services = compose()["services"]
    names = {name.upper() for name in Config.model_fields} - NOT_PASSED_ON
    for name in ("web", "worker", "migrate"):
        assert set(services[name]["environment"]) == names


def test_a_secret_is_never_written_down_and_its_absence_stops_the_start() -> None:
    environment = compose()["services"]["web"]["environment"]
    for name in ("SECRET_KEY", "NOVITA_API_KEY"):
        assert environment[name].startswith("${" + name + ":?")
    assert "${POSTGRES_PASSWORD:?" in environment["DATABASE_URL"]


def test_no_secret_stands_among_the_arguments_of_a_service() -> None:
    secrets = {"NOVITA_API_KEY", "WEBHOOK_SECRET", "SECRET_KEY", "POSTGRES_PASSWORD"}
    for service in compose()["services"].values():
        words = " ".join(str(word) for word in service.get("command", []))
        assert not secrets & set(re.findall(r"[A-Z_]{4,}", words))


def test_the_services_can_write_nowhere_and_have_no_capabilities() -> None:
    for name, service in compose()["services"].items():
        if name != "postgres":
            assert service["read_only"] is True
            assert service["cap_drop"] == ["ALL"]


def test_the_demo_has_all_that_production_demands() -> None:
    variables = demo_variables()
    config = load_config(
        {**variables, "NOVITAI_ENV": "production", "DATABASE_URL": "postgresql://demo@postgres/x"}
    )
    assert config.novita_api_base_url.startswith("http://simulator:8100/")
    assert config.webhook_secret is not None


def test_the_image_contains_every_package_of_the_service() -> None:
    copied = set(re.findall(r"^COPY ([\w/]+) \1$", (ROOT / "Dockerfile").read_text(), re.MULTILINE))
    allowed = set(re.findall(r"^!([\w/]+)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE))
    apps = {"core", "accounts", "jobs", "webhooks", "instances", "novitai"}
    assert copied == allowed == {*apps, "upstream", "egress", "devtools/simulator"}
