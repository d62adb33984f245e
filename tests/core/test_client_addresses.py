"""Whose address a request comes from."""

from types import SimpleNamespace
from typing import Any

import pytest
from django.test import RequestFactory

from core.client_addresses import client_address, parse_address, subscriber


@pytest.mark.parametrize(
    ("trusted", "peer", "header", "expected"),
    [
        ("127.0.0.1,::1", "203.0.113.9", "198.51.100.1", "203.0.113.9"),
        ("127.0.0.1,::1", "127.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("127.0.0.1,::1", "127.0.0.1", "", "127.0.0.1"),
        # What the client wrote itself stands to the left of what the proxy saw.
        ("127.0.0.1", "127.0.0.1", "1.1.1.1, 198.51.100.1", "198.51.100.1"),
        ("127.0.0.1,10.0.0.0/8", "127.0.0.1", "1.1.1.1, 198.51.100.1, 10.1.2.3", "198.51.100.1"),
        ("*", "10.0.0.7", "1.1.1.1, 198.51.100.1", "198.51.100.1"),
        ("*", "10.0.0.7", "", "10.0.0.7"),
        ("127.0.0.1", "127.0.0.1", "198.51.100.1, junk", "127.0.0.1"),
        ("127.0.0.1", "127.0.0.1", "127.0.0.1, 127.0.0.1", "127.0.0.1"),
        ("127.0.0.1", "127.0.0.1", "198.51.100.1:4711", "198.51.100.1"),
        ("127.0.0.1", "127.0.0.1", "[2001:db8::1]:4711", "2001:db8::1"),
        ("127.0.0.1", "::ffff:127.0.0.1", "198.51.100.1", "198.51.100.1"),
        # A Unix socket has no address: whoever can write to it is on this machine.
        ("127.0.0.1", "", "198.51.100.1", "198.51.100.1"),
        ("127.0.0.1", "", "", "None"),
    ],
)
def test_the_nearest_address_that_no_proxy_has_counts(
    settings: Any, trusted: str, peer: str, header: str, expected: str
) -> None:
    settings.CONFIG = SimpleNamespace(forwarded_allow_ips=trusted)
    request = RequestFactory().get("/", REMOTE_ADDR=peer, HTTP_X_FORWARDED_FOR=header)
    assert str(client_address(request)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("198.51.100.1", "198.51.100.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("2001:db8:1:2:ffff::", "2001:db8:1:2::"),
        ("::ffff:198.51.100.1", "198.51.100.1"),
        ("fe80::1%eth0", "fe80::"),
    ],
)
def test_a_subscriber_is_known_by_what_it_cannot_change(text: str, expected: str) -> None:
    address = parse_address(text)
    assert address is not None
    assert subscriber(address) == expected
