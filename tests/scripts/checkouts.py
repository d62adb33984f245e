"""A checkout of its own for the scripts: they use .env, DATA_DIR and backups beside them."""

import json
import os
import stat
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from devtools.launcher.environment import hermetic_environment

ROOT = Path(__file__).resolve().parents[2]
# What belongs to whoever works here, and not to the project.
_OWN = (".env", ".data", ".git", "backups")


@dataclass(frozen=True, slots=True)
class Finished:
    code: int
    output: str
    complaints: str


@dataclass(frozen=True, slots=True)
class Checkout:
    """The project's files by links, so that a script takes this folder for the project's."""

    folder: Path
    variables: dict[str, str] = field(default_factory=dict)

    def run(self, script: str, *arguments: str, **variables: str) -> Finished:
        done = subprocess.run(
            [self.folder / "scripts" / script, *arguments],
            cwd=self.folder,
            env=hermetic_environment(os.environ) | self.variables | variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=180,
        )
        return Finished(done.returncode, done.stdout, done.stderr)

    def manage(self, *arguments: str, **variables: str) -> str:
        return subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=hermetic_environment(os.environ) | self.variables | variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            check=True,
            text=True,
        ).stdout

    def write_env(self, text: str, mode: int = 0o600) -> None:
        (self.folder / ".env").write_text(text)
        (self.folder / ".env").chmod(mode)


def make_checkout(folder: Path, **variables: str) -> Checkout:
    folder.mkdir()
    for entry in ROOT.iterdir():
        if entry.name not in _OWN and not entry.name.startswith("."):
            (folder / entry.name).symlink_to(entry)
    (folder / ".env.example").symlink_to(ROOT / ".env.example")
    return Checkout(folder, {"PYTHON": sys.executable, **variables})


def install_engine(folder: Path, **orders: str) -> dict[str, str]:
    """The variables with which `docker` is the stand-in; ``orders`` says what it does."""
    programs = folder / "bin"
    programs.mkdir(parents=True)
    (folder / "orders.json").write_text(json.dumps({"temporary": str(folder), **orders}))
    docker = programs / "docker"
    docker.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{ROOT}/tests/scripts/engine.py" "$@"\n')
    docker.chmod(docker.stat().st_mode | stat.S_IXUSR)
    path = f"{programs}{os.pathsep}{os.environ['PATH']}"
    return {"PATH": path, "ENGINE_FOLDER": str(folder)}


def calls(folder: Path) -> list[str]:
    """What the engine was asked, in order."""
    file = folder / "calls"
    return file.read_text().splitlines() if file.exists() else []
