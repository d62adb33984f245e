from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta, timezone

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from standardwebhooks import Webhook, WebhookVerificationError

from egress.webhooks.signing import (
    SigningKey,
    generate_secret,
    generate_v1a_key,
    is_usable_secret,
    public_key_of,
    signed_headers,
)

BODY = '{"type":"instance.ready","name":"schön"}'.encode()


def secret_of(size: int) -> str:
    return "whsec_" + base64.b64encode(b"k" * size).decode()


def test_the_reference_library_verifies_what_we_sign():
    secret = generate_secret()
    headers = signed_headers(secret, "evt_1", BODY, datetime.now(UTC))
    assert Webhook(secret).verify(BODY, headers)["type"] == "instance.ready"
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(BODY + b" ", headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(generate_secret()).verify(BODY, headers)


def test_a_known_signature_does_not_change():
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    now = datetime.fromtimestamp(1614265330, tz=UTC)
    headers = signed_headers(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", b'{"test": 2432232314}', now)
    assert headers["webhook-timestamp"] == "1614265330"
    # The vector of the specification's own libraries.
    expected = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert headers["webhook-signature"] == expected


def test_another_time_zone_signs_the_same_moment():
    secret = generate_secret()
    now = datetime(2026, 11, 1, 12, 0, 0, 900_000, tzinfo=UTC)
    tokyo = now.astimezone(timezone(timedelta(hours=9)))
    assert signed_headers(secret, "a", BODY, now) == signed_headers(secret, "a", BODY, tokyo)


def test_during_a_rotation_either_secret_verifies():
    old, new = generate_secret(), generate_secret()
    headers = signed_headers(new, "a", BODY, datetime.now(UTC), also_sign_with=[old])
    for secret in (old, new):
        Webhook(secret).verify(BODY, headers)


def test_generated_secrets_differ_and_are_usable():
    secrets = {generate_secret() for _ in range(10)}
    assert len(secrets) == 10
    assert all(map(is_usable_secret, secrets))


@pytest.mark.parametrize("size", [24, 32, 64])
def test_24_to_64_bytes_are_usable(size):
    assert is_usable_secret(secret_of(size))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "whsec_",
        "my pass phrase that is long enough",
        "whsec_my pass phrase that is long enough!",
        secret_of(15),
        secret_of(65),
        secret_of(32).removeprefix("whsec_"),
        secret_of(32) + "\n",
        secret_of(32).rstrip("="),
        "whsec_" + "é" * 44,
    ],
)
def test_anything_else_is_not_usable_and_never_signs(text):
    assert not is_usable_secret(text)
    with pytest.raises(ValueError) as caught:
        signed_headers(text, "a", BODY, datetime.now(UTC))
    assert not text or text not in str(caught.value)


@pytest.mark.parametrize("message_id", ["", "a.b", "a b", "a\r\nX: y", "é", "x" * 256])
def test_an_id_that_could_be_confused_is_refused(message_id):
    with pytest.raises(ValueError, match="message id"):
        signed_headers(generate_secret(), message_id, BODY, datetime.now(UTC))


def test_a_naive_time_is_refused():
    with pytest.raises(ValueError, match="aware"):
        signed_headers(generate_secret(), "a", BODY, datetime(2026, 11, 1))  # noqa: DTZ001


def test_a_body_that_is_not_utf_8_is_refused():
    with pytest.raises(ValueError):
        signed_headers(generate_secret(), "a", b"\xff", datetime.now(UTC))


# The vector of the specification's reference implementation.
KNOWN_KEY = "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbc="
KNOWN_PUBLIC_KEY = "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4="
KNOWN_SIGNATURE = (
    "v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg=="
)


def test_a_known_asymmetric_signature_does_not_change():
    now = datetime.fromtimestamp(1614265330, tz=UTC)
    body = b'{"test": 2432232314}'
    headers = signed_headers(KNOWN_KEY, "msg_p5jXN8AQM9LWM0D4loKWxJek", body, now)
    assert headers["webhook-signature"] == KNOWN_SIGNATURE
    assert public_key_of(KNOWN_KEY) == KNOWN_PUBLIC_KEY


def test_an_asymmetric_key_is_verified_with_its_public_key_alone():
    key = generate_v1a_key()
    headers = signed_headers(key, "msg_1", BODY, datetime.now(UTC))
    raw = base64.b64decode(public_key_of(key).removeprefix("whpk_"))
    signature = base64.b64decode(headers["webhook-signature"].removeprefix("v1a,"))
    signed = f"msg_1.{headers['webhook-timestamp']}.".encode() + BODY
    Ed25519PublicKey.from_public_bytes(raw).verify(signature, signed)
    with pytest.raises(InvalidSignature):
        Ed25519PublicKey.from_public_bytes(raw).verify(signature, signed + b" ")


def test_a_receiver_of_v1_accepts_a_message_that_carries_v1a_as_well():
    secret, key = generate_secret(), generate_v1a_key()
    headers = signed_headers(key, "a", BODY, datetime.now(UTC), also_sign_with=[secret])
    schemes = [each.partition(",")[0] for each in headers["webhook-signature"].split(" ")]
    assert schemes == ["v1a", "v1"]
    Webhook(secret).verify(BODY, headers)


@pytest.mark.parametrize(
    "text",
    [
        "whsk_",
        "whsk_" + base64.b64encode(b"k" * 31).decode(),
        "whsk_" + base64.b64encode(b"k" * 64).decode(),
        KNOWN_KEY.rstrip("="),
        KNOWN_KEY + "\n",
        KNOWN_PUBLIC_KEY,
        "whsk_" + "é" * 44,
    ],
)
def test_anything_but_32_bytes_is_no_asymmetric_key(text):
    for use in (public_key_of, lambda each: signed_headers(each, "a", BODY, datetime.now(UTC))):
        with pytest.raises(ValueError) as caught:
            use(text)
        assert text.strip() not in str(caught.value)


def test_a_shared_secret_has_no_public_key_and_an_asymmetric_key_is_no_shared_secret():
    with pytest.raises(ValueError, match="no public key"):
        public_key_of(generate_secret())
    assert not is_usable_secret(generate_v1a_key())


@pytest.mark.parametrize("generate", [generate_secret, generate_v1a_key])
def test_a_key_does_not_show_itself(generate):
    text = generate()
    key = SigningKey.parse(text)
    shown = f"{key!r} {key}"
    assert text not in shown
    assert text.partition("_")[2] not in shown
    assert "_raw" not in shown
