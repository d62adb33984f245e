from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from novitai.embedded_postgres import stop
from tests.novitai.embedded_postgres.processes import UserProcess

StartUser = Callable[..., UserProcess]


@pytest.fixture
def data_dir(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "data"
    yield path
    stop(path)


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
