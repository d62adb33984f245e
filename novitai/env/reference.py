"""The configuration as documents show it: `python -m novitai.env.reference env|table`.

`.env.example` is its output, and a test keeps it so; the table is the README's.
"""

import argparse
import json
import sys
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from novitai.env.fields import REQUIRED_IN_PRODUCTION, SECRET_FIELDS, Config

_HEAD = """\
Every variable of the service, with its default. Copy it to .env and change what you need.
`docker compose` reads .env by itself, and also wants POSTGRES_PASSWORD there.
`make run` reads the environment only:
    set -a; . ./.env; set +a; make run
An empty variable counts as unset. Secrets can also be files: SECRET_KEY_FILE=/run/secrets/key,
and so for CREDENTIALS_KEYS, DATABASE_URL, NOVITA_API_KEY and WEBHOOK_SECRET.
"""


def variables() -> Iterator[tuple[str, str, str]]:
    """Name, default as it would be written in the environment, and description of each."""
    for name, field in Config.model_fields.items():
        yield name.upper(), _as_text(field.default), _description(name, field.description or "")


def env_example() -> str:
    """The text of `.env.example`: every variable commented out, quoted as shells want it."""
    blocks = [_comment(_HEAD)]
    for name, default, description in variables():
        value = f"'{default}'" if " " in default or '"' in default else default
        blocks.append(f"{_comment(description)}#{name}={value}\n")
    return "\n".join(blocks)


def table() -> str:
    """The table of the README, in Markdown."""
    rows = ["| Variable | Default | Meaning |", "| --- | --- | --- |"]
    for name, default, description in variables():
        shown = f"`{default}`" if default else ""
        rows.append(f"| `{name}` | {shown} | {description.replace('|', '&#124;')} |")
    return "\n".join(rows) + "\n"


def _description(name: str, text: str) -> str:
    notes = []
    if name in REQUIRED_IN_PRODUCTION:
        notes.append("required in production")
    if name in SECRET_FIELDS:
        notes.append("secret")
    return f"{text} ({', '.join(notes)})" if notes else text


def _as_text(default: Any) -> str:
    if default is None:
        return ""
    if isinstance(default, Mapping):
        return json.dumps({key: _plain(value) for key, value in default.items()})
    if isinstance(default, tuple):
        return ",".join(map(str, default))
    return f"{default:g}" if isinstance(default, float) else str(default)


def _plain(value: BaseModel) -> dict[str, Any]:
    return {name: text for name, text in value.model_dump().items() if text}


def _comment(text: str) -> str:
    lines = (
        line
        for paragraph in text.strip().split("\n")
        for line in textwrap.wrap(paragraph, 96, drop_whitespace=True, break_long_words=False)
    )
    return "".join(f"# {line}\n" for line in lines)


def main() -> None:
    """Print the one or the other."""
    parser = argparse.ArgumentParser(prog="python -m novitai.env.reference")
    parser.add_argument("form", choices=("env", "table"))
    arguments = parser.parse_args()
    sys.stdout.write(env_example() if arguments.form == "env" else table())


if __name__ == "__main__":
    main()
