from __future__ import annotations

from collections.abc import Iterator

import pytest

from instances.novita import call_log


@pytest.fixture
def nothing_logged_yet() -> Iterator[None]:
    """A process that has logged no failed call and no unknown value."""
    call_log.forget()
    yield
    call_log.forget()
