"""Configuration from the environment: validated at the start, all errors at once."""

import contextlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from novitai.env.fields import MAY_HOLD_SECRETS, REQUIRED_IN_PRODUCTION, SECRET_FIELDS, Config
from novitai.env.texts import TextError, clean, shown
from novitai.env.types import Region

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
    text = _read_file(variable, path, errors) if path else environ.get(variable)
    try:
        return clean(text or "", is_json=name == "regions") or None
    except TextError as error:
        errors.append(f"  {variable}: {error}{_value(name, text)}. Hint: {_hint(name)}")
        return None


def _read_file(variable: str, path: str, errors: list[str]) -> str:
    try:
        # Some editors begin a file with a mark of its encoding.
        text = Path(path).expanduser().read_text(encoding="utf-8-sig")
    except (OSError, ValueError, RuntimeError) as error:
        errors.append(f"  {variable}_FILE: {shown(path)} cannot be read ({type(error).__name__})")
        return ""
    if not text.strip():
        errors.append(f"  {variable}_FILE: {shown(path)} is empty")
    return text


def _value(name: str, value: object) -> str:
    """What was given, unless it is a secret or may hold one."""
    text = str(value)
    is_secret = name in (*SECRET_FIELDS, *MAY_HOLD_SECRETS) or "@" in text
    return "" if is_secret or not text else f" (given: {shown(text)})"


def _decode_json(values: dict[str, str]) -> dict[str, Any]:
    """REGIONS alone is JSON; broken JSON is left as text, so that validation names it."""
    decoded: dict[str, Any] = dict(values)
    if "regions" in values:
        with contextlib.suppress(ValueError):
            decoded["regions"] = json.loads(values["regions"], object_pairs_hook=_once_each)
    return decoded


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A key given twice would silently lose its first value."""
    if len({key for key, _ in pairs}) < len(pairs):
        raise ValueError("a key is given twice")
    return dict(pairs)


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
    """One fault as text, with what was given."""
    name = str(item["loc"][0]) if item["loc"] else ""
    fault = str(item["msg"]).removeprefix("Value error, ")
    given = _value(name, item["input"]) if isinstance(item.get("input"), (str, Path)) else ""
    return f"  {name.upper()}: {fault}{given}. Hint: {_hint(name)}" if name else f"  {fault}"


def _hint(name: str) -> str:
    field = Config.model_fields.get(name)
    return (field.description or "") if field else ""
