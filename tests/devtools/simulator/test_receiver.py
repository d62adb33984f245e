"""The webhook receiver: recording, checking signatures, misbehaving on request."""

import base64
from datetime import UTC, datetime

import pytest
import requests
from standardwebhooks import Webhook

from devtools.simulator.process import ReceiverProcess

SECRET = "whsec_" + base64.b64encode(b"a secret of 24 bytes....").decode()
OTHER = "whsec_" + base64.b64encode(b"another one of 24 bytes.").decode()


@pytest.fixture(scope="module")
def process():
    with ReceiverProcess(secret=SECRET) as running:
        yield running


@pytest.fixture
def receiver(process):
    process.control.reset()
    return process.control


def deliver(receiver, path="/hook", secret=SECRET, body=b'{"a": 1}', timeout=5.0, **options):
    now = datetime.now(UTC)
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(secret).sign("msg_1", now, body.decode()),
    }
    return requests.post(receiver.url(path), data=body, headers=headers, timeout=timeout, **options)


def test_a_delivery_is_recorded_whole_and_answered_200(receiver):
    assert deliver(receiver).status_code == 200
    (delivery,) = receiver.deliveries()
    assert (delivery["path"], delivery["body"], delivery["verified"]) == ("/hook", '{"a": 1}', "ok")
    assert base64.b64decode(delivery["bodyBase64"]) == b'{"a": 1}'
    assert delivery["headers"]["webhook-id"] == "msg_1"


def test_a_wrong_signature_is_recorded_as_such(receiver):
    deliver(receiver, secret=OTHER)
    requests.post(receiver.url("/unsigned"), data=b"{}", timeout=5)
    verified = [delivery["verified"] for delivery in receiver.deliveries()]
    assert verified == ["No matching signature found", "Missing required headers"]


def test_a_path_can_have_its_own_secret(receiver):
    receiver.behave("/other", secret=OTHER)
    deliver(receiver, "/other", secret=OTHER)
    assert receiver.deliveries("/other")[0]["verified"] == "ok"


def test_deliveries_are_filtered_by_path_and_reset(receiver):
    deliver(receiver, "/a")
    deliver(receiver, "/b")
    assert [delivery["path"] for delivery in receiver.deliveries("/b")] == ["/b"]
    receiver.forget_deliveries()
    assert receiver.deliveries() == []


def test_misbehaviour_is_per_path_and_bounded(receiver):
    receiver.behave("/a", status=503, retry_after="7", times=2)
    receiver.behave("/gone", status=410)
    seen = [deliver(receiver, "/a") for _ in range(3)]
    assert [reply.status_code for reply in seen] == [503, 503, 200]
    assert seen[0].headers["Retry-After"] == "7"
    assert deliver(receiver, "/gone").status_code == 410
    assert deliver(receiver, "/b").status_code == 200


def test_it_redirects_wherever_it_is_told(receiver):
    receiver.behave(redirect_to="http://169.254.169.254/latest/")
    reply = deliver(receiver, allow_redirects=False)
    assert reply.status_code == 302
    assert reply.headers["Location"] == "http://169.254.169.254/latest/"


def test_it_hangs_and_records_what_it_hung_on(receiver):
    receiver.behave(hang_seconds=30, times=1)
    with pytest.raises(requests.ReadTimeout):
        deliver(receiver, timeout=0.2)
    assert len(receiver.deliveries()) == 1


def test_it_resets_the_connection(receiver):
    receiver.behave(reset=True, times=1)
    with pytest.raises(requests.ConnectionError):
        deliver(receiver)


def test_it_answers_with_a_gigabyte_that_nobody_needs_to_read(receiver):
    receiver.behave(huge_body_bytes=10**9)
    with deliver(receiver, stream=True) as reply:
        assert reply.headers["Content-Length"] == str(10**9)
        assert len(next(reply.iter_content(1000))) == 1000


def test_a_slow_loris_drips_its_headers(receiver):
    receiver.behave(slow_loris_seconds=0.001)
    assert deliver(receiver).status_code == 200
    receiver.forget_behaviours()
    receiver.behave(slow_loris_seconds=5)
    with pytest.raises(requests.ReadTimeout):
        deliver(receiver, timeout=0.2)
