"""What a mock cannot show: which bytes leave, on which connection, how often."""

from __future__ import annotations

import gzip
import socket

import pytest

from egress.transport import Transport
from tests.egress.raw_server import Peer, serving
from upstream import errors as e
from upstream.call_records import CallBudget, CallOutcome
from upstream.client import NovitaClient
from upstream.types import CreateRequest

KEY = "sk_test-key-0123"
CREATE_REQUEST = CreateRequest("n", "p", 1, 60, "img")
NO_CLUSTERS = b'{"data":[]}'


@pytest.fixture(scope="module")
def transport():
    transport = Transport(max_body_bytes=100_000)
    yield transport
    transport.close()


@pytest.fixture
def connect(transport):
    def make(server, **options):
        options = {"timeout_seconds": 5.0} | options
        return NovitaClient(server.url + "/pre/", KEY, transport=transport, **options)

    return make


def clusters(peer: Peer) -> None:
    while peer.read_request():
        peer.answer(NO_CLUSTERS)


def lose_the_second_request(peer: Peer) -> None:
    """What a server does that closes an idle connection just as we write to it."""
    if peer.number > 1:
        return clusters(peer)
    peer.read_request()
    peer.answer(NO_CLUSTERS)
    peer.read_request()
    return peer.reset()


def test_reads_share_a_connection_and_creates_get_their_own(connect):
    def script(peer: Peer) -> None:
        while request := peer.read_request():
            peer.answer(b'{"id":"ab"}' if request.startswith(b"POST") else NO_CLUSTERS)

    with serving(script) as server:
        client = connect(server)
        client.list_clusters()
        client.list_clusters()
        assert server.accepted == 1
        assert client.create_instance(CREATE_REQUEST) == "ab"
        assert server.accepted == 2
        client.list_clusters()
        assert server.accepted == 2
    assert server.requests[0].startswith(b"GET /pre/clusters HTTP/1.1\r\n")


def test_a_read_on_a_stale_connection_is_repeated_once_as_one_call(connect):
    with serving(lose_the_second_request) as server:
        budget = CallBudget(2)
        client = connect(server, budget=budget)
        client.list_clusters()
        client.list_clusters()
        assert server.accepted == 2
    assert budget.used == 2
    assert [call.outcome for call in client.calls] == [CallOutcome.OK, CallOutcome.OK]


def test_an_action_on_a_stale_connection_is_never_repeated(connect):
    with serving(lose_the_second_request) as server:
        client = connect(server)
        client.list_clusters()
        with pytest.raises(e.NovitaConnectionError) as caught:
            client.delete_instance("ab")
        assert server.accepted == 1
    assert caught.value.is_outcome_unknown
    assert caught.value.is_sent


def test_a_read_that_is_reset_on_a_new_connection_is_not_repeated(connect):
    def script(peer: Peer) -> None:
        peer.read_request()
        peer.reset()

    with serving(script) as server:
        client = connect(server)
        with pytest.raises(e.NovitaConnectionError) as caught:
            client.list_clusters()
        assert server.accepted == 1
    assert not caught.value.is_outcome_unknown
    assert caught.value.counts_as_outage
    assert client.calls[0].outcome is CallOutcome.CONNECTION_ERROR


def test_a_create_whose_answer_is_lost_was_sent_once_and_is_unknown(connect):
    def script(peer: Peer) -> None:
        peer.read_request()
        peer.reset()

    with serving(script) as server:
        with pytest.raises(e.NovitaConnectionError) as caught:
            connect(server).create_instance(CREATE_REQUEST)
        assert len(server.requests) == 1
    assert caught.value.is_outcome_unknown


def test_a_create_that_hangs_is_unknown_after_its_own_timeout(connect):
    def script(peer: Peer) -> None:
        peer.read_request()
        peer.hang()

    with serving(script) as server:
        client = connect(server, timeout_seconds=60)
        with pytest.raises(e.NovitaTimeout) as caught:
            client.create_instance(CREATE_REQUEST, timeout_seconds=0.1)
        assert len(server.requests) == 1
    assert caught.value.is_outcome_unknown
    assert client.calls[0].outcome is CallOutcome.TIMEOUT


def test_a_create_that_could_not_connect_is_known_not_to_have_acted(transport):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    client = NovitaClient(f"http://127.0.0.1:{port}", KEY, transport=transport)
    with pytest.raises(e.NovitaConnectionError) as caught:
        client.create_instance(CREATE_REQUEST)
    assert not caught.value.is_sent
    assert not caught.value.is_outcome_unknown
    assert caught.value.counts_as_outage


@pytest.mark.parametrize("is_chunked", [False, True])
def test_a_packed_answer_is_read(connect, is_chunked):
    body = gzip.compress(b'{"data":[%s]}' % b",".join([b'{"id":"c"}'] * 1_000))

    def script(peer: Peer) -> None:
        request = peer.read_request()
        assert b"Accept-Encoding: gzip\r\n" in request
        if is_chunked:
            head = (
                b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n"
            )
            peer.send(head + b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body))
        else:
            peer.answer(body, headers="Content-Encoding: gzip\r\n")

    with serving(script) as server:
        assert len(connect(server).list_clusters()) == 1_000


def test_a_redirect_is_not_followed_so_the_key_stays_at_home(connect):
    with serving(clusters) as elsewhere:

        def script(peer: Peer) -> None:
            peer.read_request()
            peer.answer(b"", "307 Temporary Redirect", f"Location: {elsewhere.url}/\r\n")

        with serving(script) as server, pytest.raises(e.EdgeAnswered):
            connect(server).list_clusters()
        assert elsewhere.accepted == 0


def test_an_answer_beyond_the_cap_is_a_protocol_error(connect):
    def script(peer: Peer) -> None:
        peer.read_request()
        peer.answer(b"[" + b"1," * 100_000)

    with serving(script) as server, pytest.raises(e.NovitaProtocolError):
        connect(server).list_clusters()


def test_the_key_is_in_no_part_of_the_error_chain(connect):
    def script(peer: Peer) -> None:
        peer.read_request()
        peer.reset()

    with serving(script) as server, pytest.raises(e.NovitaError) as caught:
        connect(server).list_clusters()
    error: BaseException | None = caught.value
    while error is not None:
        assert KEY not in str(error)
        assert getattr(error, "request", None) is None
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
