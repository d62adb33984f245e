"""Configuration from the environment: validated at the start, all errors at once."""

import os
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from novitai.env.fields import MAY_HOLD_SECRETS, SECRET_FIELDS, Config
from novitai.env.texts import shown


class ConfigError(Exception):
    """The environment cannot be used; the text names every variable, its fault and its hint."""


def load_config(environ: Mapping[str, str] | None = None) -> Config:
    """Read and validate the environment. Raises ConfigError naming everything that is wrong."""
    try:
        # The source takes the mapping; pydantic's plugin of mypy knows fields only.
        return Config(environ=os.environ if environ is None else environ)  # type: ignore[call-arg]
    except ValidationError as error:
        lines = [_line(item) for item in error.errors()]
    # Outside of the handler: the validation error holds what was given, secrets included.
    raise ConfigError("The configuration cannot be used:\n" + "\n".join(lines))


def _line(item: Mapping[str, Any]) -> str:
    """One fault as text, with the value that was given."""
    fault = str(item["msg"]).removeprefix("Value error, ")
    name = str(item["loc"][0])
    variable = f"{name.upper()}_FILE" if item["type"] == "secret_file" else name.upper()
    hint = Config.model_fields[name].description
    return f"  {variable}: {fault}{_given(name, item['input'])}. Hint: {hint}"


def _given(name: str, value: object) -> str:
    """The value in brackets, unless it is a secret or may hold one."""
    is_secret = name in (*SECRET_FIELDS, *MAY_HOLD_SECRETS) or "@" in str(value)
    return f" (given: {shown(value)})" if isinstance(value, str) and not is_secret else ""
