"""Where a request ends, told before anybody has parsed it, and in whatever pieces it comes."""

from __future__ import annotations

import pytest
from gunicorn.config import Config
from gunicorn.http import get_parser
from gunicorn.http.errors import LimitRequestHeaders, NoMoreData, ParseException
from hypothesis import given
from hypothesis import strategies as st

from novitai.server.arriving import (
    MOST_CHUNK_LINE_BYTES,
    MOST_HEAD_BYTES,
    Arriving,
    BodyTooLarge,
)

LIMIT = 1000
LINE = b"POST /x HTTP/1.1\r\nHost: x\r\n"
CHUNKED = LINE + b"Transfer-Encoding: chunked\r\n\r\n"
REQUESTS = {
    "without a body": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "without headers": b"GET / HTTP/1.0\r\n\r\n",
    "after an empty line": b"\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "with a body": LINE + b"content-LENGTH:\t5 \r\n\r\nhello",
    "with an empty body": LINE + b"Content-Length: 0\r\n\r\n",
    "with a body that looks like a head": LINE + b"Content-Length: 8\r\n\r\n\r\n\r\n\r\n\r\n",
    "with the largest body": LINE + b"Content-Length: 1000\r\n\r\n" + b"x" * LIMIT,
    "in chunks": CHUNKED + b"5\r\nhello\r\nA;x=y\r\n0123456789\r\n0\r\n\r\n",
    "in chunks with line ends": CHUNKED + b"4\r\n\r\n\r\n\r\n0\r\n\r\n",
    "in no chunk": CHUNKED + b"0\r\n\r\n",
    "in chunks with a trailer": CHUNKED + b"1\r\nx\r\n0\r\nA: b\r\nC: d\r\n\r\n",
    "in chunks with a quoted extension": CHUNKED + b'1;a="b;c";d=e\r\nx\r\n0\r\n\r\n',
    "in the smallest chunks": CHUNKED + b"1\r\nx\r\n" * LIMIT + b"0\r\n\r\n",
}


@pytest.mark.parametrize("request_", REQUESTS.values(), ids=REQUESTS)
def test_a_request_is_whole_with_its_last_byte_and_not_before(request_: bytes) -> None:
    arriving = Arriving(LIMIT)
    for at in range(len(request_)):
        assert not arriving.is_worth_reading, request_[:at]
        arriving.feed(request_[at : at + 1])
    assert arriving.is_whole


@pytest.mark.parametrize("request_", REQUESTS.values(), ids=REQUESTS)
def test_what_follows_a_request_is_left_to_the_next(request_: bytes) -> None:
    arriving = Arriving(LIMIT, request_ + b"GET /next")
    assert arriving.is_whole
    taken = b""
    while len(taken) < len(request_):
        taken += arriving.take(100_000)
    assert taken == request_
    assert arriving.rest() == b"GET /next"
    assert arriving.take(3) == b"GET"
    assert arriving.rest() == b" /next"


@pytest.mark.parametrize(
    ("data", "refusal"),
    [
        (b"NONSENSE\r\n", ParseException),
        (b"\x16\x03\x01\x02\x00\x01", ParseException),
        (b"\r\n\r\n", ParseException),
        (b"GET / HTTP/2.0\r\n", ParseException),
        (b"GET / HTTP/1.1\nHost: x\n", ParseException),
        (b"GET / HTTP/1.1\r\nHost: x\n", ParseException),
        (b"GET /" + b"a" * MOST_HEAD_BYTES, LimitRequestHeaders),
        (b"GET / HTTP/1.1\r\nA: " + b"a" * MOST_HEAD_BYTES, LimitRequestHeaders),
        (CHUNKED + b"0\r\nA: " + b"a" * (MOST_HEAD_BYTES + 10), LimitRequestHeaders),
        (LINE + b"Content-Length: 1001\r\n\r\n", BodyTooLarge),
        (LINE + b"Content-Length: 99999999999999999999\r\n\r\n", BodyTooLarge),
        (LINE + b"Content-Length: -1\r\n\r\n", BodyTooLarge),
        (LINE + b"Content-Length: 5, 5\r\n\r\n", BodyTooLarge),
        (CHUNKED + b"zz", ParseException),
        (CHUNKED + b"\r\n", ParseException),
        (CHUNKED + b"5\n", ParseException),
        (CHUNKED + b"5 \r\n", ParseException),
        (CHUNKED + b'5;a="\r\n', ParseException),
        (CHUNKED + b"5\r\nhelloX", ParseException),
        (CHUNKED + b"5\r\nhello\rX", ParseException),
        (CHUNKED + b"1;" + b"a" * MOST_CHUNK_LINE_BYTES, ParseException),
        (CHUNKED + b"3e9\r\n", BodyTooLarge),
        (CHUNKED + b"3e8\r\n" + b"x" * LIMIT + b"\r\n1\r\n", BodyTooLarge),
        (CHUNKED + b"f" * 100 + b"\r\n", BodyTooLarge),
        (CHUNKED + (b"1;" + b"a" * 1000 + b"\r\nx\r\n") * 67, BodyTooLarge),
    ],
)
def test_what_cannot_be_served_is_not_waited_for(
    data: bytes, refusal: type[ParseException]
) -> None:
    arriving = Arriving(LIMIT, data)
    assert arriving.is_worth_reading
    assert not arriving.is_whole
    assert type(arriving.refusal) is refusal


@pytest.mark.parametrize("piece", [1000, 70_000])
def test_a_head_is_too_long_in_whatever_pieces_it_comes(piece: int) -> None:
    """And nothing of it is kept, so that gunicorn's own limits have no say."""
    head = LINE + b"".join(b"A%d: %s\r\n" % (n, b"a" * 800) for n in range(90)) + b"\r\n"
    assert len(head) > MOST_HEAD_BYTES
    arriving = Arriving(LIMIT)
    for at in range(0, len(head), piece):
        arriving.feed(head[at : at + piece])
        if arriving.is_worth_reading:
            break
    assert isinstance(arriving.refusal, LimitRequestHeaders)
    assert arriving.has_begun
    assert arriving.take(1000) == b""


def test_what_has_trailers_is_whole_but_may_be_refused() -> None:
    plain = Arriving(LIMIT, CHUNKED + b"0\r\n\r\n")
    assert plain.is_clean
    trailed = Arriving(LIMIT, CHUNKED + b"0\r\nA: b\r\n\r\n")
    assert trailed.is_whole
    assert not trailed.is_clean


def test_bare_line_ends_are_noticed_between_pieces_and_whole_ones_are_not() -> None:
    arriving = Arriving(LIMIT, b"GET / HTTP/1.1\r")
    arriving.feed(b"\nHost: x\r")
    arriving.feed(b"\nA: b")
    assert not arriving.is_worth_reading
    arriving.feed(b"\nC: d")
    assert type(arriving.refusal) is ParseException


@pytest.mark.parametrize(
    ("version", "headers", "body", "is_expected"),
    [
        (b"1.1", b"Content-Length: 5\r\nExpect: 100-continue", b"", True),
        (b"1.1", b"expect:100-Continue\r\nContent-Length: 5", b"hell", True),
        (b"1.1", b"Transfer-Encoding: chunked\r\nExpect: 100-continue", b"", True),
        (b"1.1", b"Content-Length: 5\r\nExpect: 100-continue", b"hello", False),
        (b"1.1", b"Content-Length: 1001\r\nExpect: 100-continue", b"", False),
        (b"1.1", b"Content-Length: 5\r\nX-Expect: 100-continue", b"", False),
        (b"1.1", b"Content-Length: 5\r\nExpect: 100-continued", b"", False),
        (b"1.1", b"Content-Length: 5", b"", False),
        (b"1.0", b"Content-Length: 5\r\nExpect: 100-continue", b"", False),
    ],
)
def test_a_client_that_waits_to_be_told_to_go_on_is_told_only_where_its_body_is_wanted(
    version: bytes, headers: bytes, body: bytes, is_expected: bool
) -> None:
    head = b"POST / HTTP/" + version + b"\r\nHost: x\r\n" + headers + b"\r\n\r\n"
    assert Arriving(LIMIT, head + body).expects_continue is is_expected


PIECES = st.sampled_from(
    [
        *(b"GET / HTTP/1.1\r\n", b"POST / HTTP/1.0\r\n", b"Host: x\r\n", b"\r\n", b"\n", b"\r"),
        *(b"Content-Length: 5\r\n", b"Content-Length: 0\r\n", b"Content-Length : 5\r\n"),
        *(b"Transfer-Encoding: chunked\r\n", b"Transfer-Encoding: gzip, chunked\r\n", b"A: b\r\n"),
        *(b"Transfer-Encoding: identity\r\n", b" folded\r\n", b"hello", b"5\r\nhello\r\n"),
        *(b"0\r\n\r\n", b"0\r\nA: b\r\n\r\n", b"5;a=b\r\n", b"\0", b"\xff", b":", b" ", b"0x5\r\n"),
    ]
)


class _Given:
    """A source for gunicorn's parser that has what has come, and no more than that."""

    def __init__(self, arriving: Arriving) -> None:
        self._arriving = arriving

    def recv(self, size: int) -> bytes:
        data = self._arriving.take(size)
        if not data:
            raise AssertionError("the parser wants more")
        return data


@given(st.lists(PIECES, max_size=9).map(b"".join))
def test_the_parser_refuses_what_is_whole_or_finds_all_of_it(data: bytes) -> None:
    """Whatever the two think of it: nobody waits in a thread, and nothing is left of it."""
    arriving = Arriving(LIMIT, data)
    if not arriving.is_whole:
        return
    parser = get_parser(Config(), _Given(arriving), ("127.0.0.1", 1))
    try:
        request = next(parser)
        request.body.read()
        assert parser.finish_body()
    except (ParseException, NoMoreData, StopIteration):
        return
    assert parser.unreader.take_buffered() == b""
