"""Configuration from the environment: validated at the start, all errors at once."""

import contextlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from novitai.config_fields import REQUIRED_IN_PRODUCTION, SECRET_FIELDS, Config
from novitai.config_types import Region

__all__ = [
    "REQUIRED_IN_PRODUCTION",
    "SECRET_FIELDS",
    "Config",
    "ConfigError",
    "Region",
    "load_config",
]


class ConfigError(Exception):
    """The environment cannot be used; the text names every variable, its fault and its hint."""


def load_config(environ: Mapping[str, str] | None = None) -> Config:
    """Read and validate the environment. Raises ConfigError naming everything that is wrong."""
    environ = os.environ if environ is None else environ
    errors: list[str] = []
    values = {
        name: value
        for name in Config.model_fields
        if (value := _read(name, environ, errors)) is not None
    }
    try:
        config: Config | None = Config.model_validate(_decode_json(values))
    except ValidationError as error:
        config = None
        errors += [_line(item) for item in error.errors()]
    if values.get("novitai_env") == "production":
        errors += _missing_in_production(values)
    if errors or config is None:
        raise ConfigError("The configuration cannot be used:\n" + "\n".join(errors))
    return config


def _read(name: str, environ: Mapping[str, str], errors: list[str]) -> str | None:
    """The variable's text; an empty variable counts as unset, as compose files pass them."""
    variable = name.upper()
    path = environ.get(f"{variable}_FILE") if name in SECRET_FIELDS else None
    if not path:
        return environ.get(variable) or None
    try:
        return Path(path).read_text(encoding="utf-8").strip() or None
    except (OSError, UnicodeDecodeError) as error:
        errors.append(f"  {variable}_FILE: {path} cannot be read ({type(error).__name__})")
        return None


def _decode_json(values: dict[str, str]) -> dict[str, Any]:
    """REGIONS alone is JSON; broken JSON is left as text, so that validation names it."""
    decoded: dict[str, Any] = dict(values)
    if "regions" in values:
        with contextlib.suppress(ValueError):
            decoded["regions"] = json.loads(values["regions"])
    return decoded


def _missing_in_production(values: Mapping[str, str]) -> list[str]:
    errors = [
        f"  {name.upper()}: is required when NOVITAI_ENV=production. Hint: {_hint(name)}"
        for name in REQUIRED_IN_PRODUCTION
        if name not in values
    ]
    if 0 < len(values.get("secret_key", "")) < 32:
        errors.append(f"  SECRET_KEY: is shorter than 32 characters. Hint: {_hint('secret_key')}")
    return errors


def _line(item: Mapping[str, Any]) -> str:
    """One fault as text. The rejected value is left out: it may be a secret."""
    name = str(item["loc"][0]) if item["loc"] else ""
    fault = str(item["msg"]).removeprefix("Value error, ")
    return f"  {name.upper()}: {fault}. Hint: {_hint(name)}" if name else f"  {fault}"


def _hint(name: str) -> str:
    field = Config.model_fields.get(name)
    return (field.description or "") if field else ""
