"""Headers that a customer adds: nothing that decides who gets the request, or where it ends."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from egress.transport import Transport
from egress.webhooks.headers import (
    MOST_BYTES,
    MOST_HEADERS,
    MOST_VALUE,
    HeaderError,
    check_headers,
)
from egress.webhooks.sending import deliver
from tests.egress.raw_server import polite, serving
from tests.egress.webhooks.test_sending import LOCAL

USUAL = {
    "Authorization": "Bearer s3cr3t",
    "X-Api-Key": 'a, b; c="d"',
    "Cookie": "session=1",
    "User-Agent": "mine/1.0",
    "X-Empty": "",
    "x_under.score~": "blank inside",
}


def test_usual_headers_may_be_given() -> None:
    check_headers(USUAL)
    check_headers({f"X-{number}": "y" for number in range(MOST_HEADERS)})
    check_headers({"X": "y" * MOST_VALUE})


@pytest.mark.parametrize(
    "name",
    [
        *("Host", "content-length", "Content-Type", "Content-Encoding", "Transfer-Encoding"),
        *("Connection", "Keep-Alive", "TE", "Trailer", "Upgrade", "Expect", "Accept-Encoding"),
        *("Proxy-Authorization", "proxy-anything", "HTTP2-Settings"),
        *("webhook-id", "Webhook-Signature", "WEBHOOK-anything", "svix-id", "Svix-Signature"),
    ],
)
def test_what_frames_routes_or_signs_the_request_cannot_be_given(name: str) -> None:
    with pytest.raises(HeaderError, match=f"Header {name} is set by the service"):
        check_headers({name: "x"})


@pytest.mark.parametrize("name", ["", " X", "X ", "X:", "X\r\nHost", "X\0", "Ä", "a b", "x" * 101])
def test_a_name_that_is_no_token_is_refused(name: str) -> None:
    with pytest.raises(HeaderError, match="name"):
        check_headers({name: "x"})


@pytest.mark.parametrize(
    "value", ["hush\r\nX: y", "hush\n", "hush\0", " hush", "hush\t", "hu\tsh", "hüsh"]
)
def test_a_value_that_could_end_its_line_is_refused_and_not_shown(value: str) -> None:
    with pytest.raises(HeaderError, match="value of header X") as caught:
        check_headers({"X": value})
    assert "sh" not in str(caught.value)


@pytest.mark.parametrize(
    ("headers", "words"),
    [
        ({f"X-{number}": "y" for number in range(MOST_HEADERS + 1)}, "20 headers"),
        ({f"X-{n}": "y" * MOST_VALUE for n in range(MOST_BYTES // 1000 + 1)}, "characters in"),
        ({"X": "y" * (MOST_VALUE + 1)}, "value of header X"),
    ],
)
def test_their_number_and_size_are_limited(headers: dict[str, str], words: str) -> None:
    with pytest.raises(HeaderError, match=words):
        check_headers(headers)


def test_they_arrive_as_they_were_given() -> None:
    with serving(polite) as server:
        assert deliver(server.url, b"{}", USUAL, allowed_networks=LOCAL).is_delivered
    lines = server.requests[0].decode("latin-1").split("\r\n")
    for name, value in USUAL.items():
        assert f"{name.lower()}: {value}" in lines


@given(st.dictionaries(st.text(max_size=20), st.text(max_size=20), max_size=3))
def test_what_is_accepted_can_be_sent_and_adds_no_line(headers: dict[str, str]) -> None:
    try:
        check_headers(headers)
    except HeaderError:
        return
    with serving(polite) as server:
        transport = Transport(max_body_bytes=100)
        result = deliver(server.url, b"{}", headers, allowed_networks=LOCAL, transport=transport)
    assert result.is_delivered
    head = server.requests[0].partition(b"\r\n\r\n")[0].decode("latin-1")
    names = [line.partition(":")[0].lower() for line in head.split("\r\n")[1:]]
    own = {"host", "content-length", "content-type", "user-agent", "accept-encoding"}
    assert set(names) - own == {name.lower() for name in headers} - own


def test_of_two_spellings_of_a_name_one_is_sent() -> None:
    with serving(polite) as server:
        deliver(server.url, b"{}", {"X-Key": "a", "x-key": "b"}, allowed_networks=LOCAL)
    assert server.requests[0].lower().count(b"x-key:") == 1
