"""A transport that the tests of a module share."""

from __future__ import annotations

import pytest

from egress.transport import Transport
from tests.egress.exchanging import CAP


@pytest.fixture(scope="module")
def transport():
    transport = Transport(max_body_bytes=CAP)
    yield transport
    transport.close()
