"""Secrets that development makes for itself."""

from __future__ import annotations

import stat
import threading
from pathlib import Path

from novitai.env.dev_secrets import kept_secret


def test_a_secret_is_made_once_and_kept_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "data" / "secret_key"
    made = kept_secret(path)
    assert len(made) >= 64
    assert kept_secret(path) == made
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert [each.name for each in path.parent.iterdir()] == ["secret_key"]


def test_many_starters_agree_on_one(tmp_path: Path) -> None:
    path = tmp_path / "secret_key"
    together = threading.Barrier(8)
    got: list[str] = []

    def make() -> str:
        together.wait(timeout=10)
        return threading.current_thread().name

    threads = [
        threading.Thread(target=lambda: got.append(kept_secret(path, make))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=20)
    assert len(got) == 8
    assert len(set(got)) == 1
    assert [each.name for each in tmp_path.iterdir()] == ["secret_key"]
