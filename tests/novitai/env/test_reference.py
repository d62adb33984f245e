"""The documents name every variable that the configuration has, and no other."""

import re
from pathlib import Path

import pytest

from novitai.env import reference
from novitai.env.config import load_config
from novitai.env.fields import Config

ROOT = Path(__file__).resolve().parents[3]
NAMES = {name.upper() for name in Config.model_fields}


def test_the_example_file_is_what_the_configuration_generates() -> None:
    assert (ROOT / ".env.example").read_text() == reference.env_example(), (
        "remake it: python -m novitai.env.reference env > .env.example"
    )


def test_the_example_file_names_every_variable_once() -> None:
    named = re.findall(r"^#([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE)
    assert len(named) == len(set(named))
    assert set(named) == NAMES


@pytest.mark.parametrize(("name", "default", "_description"), list(reference.variables()))
def test_a_default_written_out_means_the_same_as_none(
    name: str, default: str, _description: str
) -> None:
    assert getattr(load_config({name: default}), name.lower()) == getattr(Config(), name.lower())


def test_the_readme_lists_every_variable_with_its_default() -> None:
    readme = (ROOT / "README.md").read_text()
    rows = dict(re.findall(r"^\| `([A-Z_]+)` \| ([^|]*?) *\|", readme, re.MULTILINE))
    shown = {name: f"`{default}`" if default else "" for name, default, _ in reference.variables()}
    assert rows == shown, "the rows are made by: python -m novitai.env.reference table"
