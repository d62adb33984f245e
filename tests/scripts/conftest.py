from collections.abc import Iterator
from pathlib import Path

import pytest

from devtools.faults.real.databases import Database
from tests.scripts.checkouts import Checkout, make_checkout
from tests.support.stacks import copied_database


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return make_checkout(tmp_path / "it's a checkout")


@pytest.fixture
def database(template_database: None) -> Iterator[Database]:
    with copied_database() as copied:
        yield copied


@pytest.fixture
def other_database(template_database: None) -> Iterator[Database]:
    with copied_database() as copied:
        yield copied
