import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from devtools.embedded_postgres import stop
from tests.devtools.embedded_postgres.processes import UserProcess

StartUser = Callable[..., UserProcess]


@pytest.fixture
def empty_dir(tmp_path: Path) -> Iterator[Path]:
    """A data folder that is not there yet: its first user runs initdb."""
    path = tmp_path / "data"
    yield path
    stop(path)


@pytest.fixture(scope="session")
def _template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "data"
    user = UserProcess(path)
    user.answer()
    user.end()
    stop(path)
    return path


@pytest.fixture
def data_dir(empty_dir: Path, _template: Path) -> Path:
    """A data folder with a cluster in it, which saves the second that initdb takes."""
    subprocess.run(["cp", "-a", _template, empty_dir], check=True)
    return empty_dir


@pytest.fixture
def start_user() -> Iterator[StartUser]:
    """Starts user processes and ends those that the test left."""
    started: list[UserProcess] = []

    def start(data_dir: Path, **popen_options: Any) -> UserProcess:
        started.append(UserProcess(data_dir, **popen_options))
        return started[-1]

    yield start
    for user in started:
        user.end()
