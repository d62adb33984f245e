from __future__ import annotations

from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from egress.webhooks.address_rules import refusal_reason
from egress.webhooks.targets import check_url
from tests.support.hostile_urls import HOSTILE_URLS

PUBLIC = ["8.8.8.8", "1.1.1.1", "93.184.216.34", "2606:4700::1111", "2a00:1450:4001::5"]
INSIDE = [
    *("127.0.0.1", "127.255.255.254", "0.0.0.0", "0.1.2.3", "10.0.0.1", "172.16.0.1"),
    *("172.31.255.255", "192.168.1.1", "169.254.169.254", "100.64.0.1", "100.127.255.255"),
    *("192.0.0.8", "192.0.2.1", "198.18.0.1", "198.51.100.7", "203.0.113.9", "192.88.99.1"),
    *("224.0.0.1", "239.1.2.3", "240.0.0.1", "255.255.255.255"),
    *("::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd12:3456::1", "fec0::1", "ff02::1"),
    *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:a9fe:a9fe", "::127.0.0.1"),
    *("64:ff9b::7f00:1", "64:ff9b:1::1", "2002:7f00:1::", "2002:0808:0808::", "2001::1"),
    *("2001:db8::1", "2001:2::1", "2001:10::1", "3fff::1", "100::1", "5f00::1", "4000::1"),
]


@pytest.mark.parametrize("address", [*PUBLIC, "::ffff:8.8.8.8"])
def test_public_addresses_are_allowed(address):
    assert refusal_reason(address) is None


@pytest.mark.parametrize("address", [*INSIDE, "", "localhost", "1.2.3", "1.2.3.4.5"])
def test_everything_else_is_refused(address):
    assert refusal_reason(address)


@given(st.ip_addresses(v=4))
def test_mapping_into_ipv6_changes_no_verdict(address):
    assert refusal_reason(f"::ffff:{address}") == refusal_reason(str(address))


def test_an_allowed_network_opens_exactly_itself_mapped_or_not():
    allowed = [ip_network("10.1.0.0/16"), ip_network("fd00::/64")]
    assert refusal_reason("10.1.2.3", allowed) is None
    assert refusal_reason("::ffff:10.1.2.3", allowed) is None
    assert refusal_reason("fd00::9", allowed) is None
    assert refusal_reason("10.2.0.1", allowed)
    assert refusal_reason("fd00:1::9", allowed)
    assert refusal_reason("127.0.0.1", allowed)


@pytest.mark.parametrize(
    "url",
    [
        "https://hooks.example.com/a?b=c#d",
        "http://hooks.example.com:8080",
        "HTTPS://Hooks.Example.COM./",
        "https://bücher.example/",
        "https://under_score.example.com/",
        "https://8.8.8.8/",
        "https://[2606:4700::1111]:8443/x",
        "https://single/",
        "https://example.com/schön",
        "https://1password.com/",
    ],
)
def test_ordinary_urls_pass(url):
    assert check_url(url) is None


@pytest.mark.parametrize("url", HOSTILE_URLS)
def test_hostile_urls_are_refused_with_a_reason(url):
    assert check_url(url)


def test_a_reason_never_repeats_the_url():
    assert "hush" not in (check_url("ftp://h.test/?token=hush") or "")


@given(st.text())
def test_any_text_gets_a_verdict(text):
    check_url(text)
    check_url(f"https://{text}/")


def test_an_allowed_network_opens_literals_and_localhost():
    allowed = [ip_network("127.0.0.0/8"), ip_network("::1/128")]
    for host in ("127.0.0.1:8000", "localhost", "127.1", "[::1]", "[::ffff:127.0.0.1]"):
        assert check_url(f"http://{host}/", allowed_networks=allowed) is None
        assert check_url(f"http://{host}/", allowed_networks=[ip_network("10.0.0.0/8")])
