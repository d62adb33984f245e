"""One server of the tests' own for all stories of a process: each frees it as it found it."""

from collections.abc import Iterator

import pytest

from tests.core.database.servers import OwnServer, migrate


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnServer]:
    made = OwnServer(tmp_path_factory.mktemp("server") / "postgres")
    try:
        migrate(made.url())
        yield made
    finally:
        made.stop()
