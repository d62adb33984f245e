"""A client, and a stand-in for what it calls."""

from __future__ import annotations

import pytest
import responses

from tests.upstream.sent_requests import BASE, KEY, SEND
from upstream.client import NovitaClient


@pytest.fixture
def upstream():
    with responses.RequestsMock(target=SEND, assert_all_requests_are_fired=False) as mock:
        yield mock


@pytest.fixture
def client():
    return NovitaClient(BASE, KEY, request_id="req-1")
