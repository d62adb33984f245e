"""What the settings of webhooks do to a message that is sent over a real connection."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.test import Client
from pydantic import SecretStr

from accounts.webhook_secrets import Secrets
from egress.webhooks.sending import DeliveryResult
from egress.webhooks.signing import generate_secret
from tests.conftest import Configure
from tests.egress.conftest import Certificate, certificate
from tests.egress.raw_server import Peer, polite, serving
from tests.support.name_resolution import resolve_all_to_localhost
from tests.webhooks.conftest import post
from webhooks.handlers.letters import Letter, Mail, post_all
from webhooks.lanes import Lane

__all__ = ["certificate"]


def posted(url: str) -> DeliveryResult:
    secrets = Secrets(generate_secret())
    mail = Mail(Lane("ep_1", ""), [Letter(1, "msg_1", b"{}")], url, {}, secrets, datetime.now(UTC))
    return post_all(mail)[0].result


def test_the_answer_and_the_address_come_back() -> None:
    with serving(polite) as server:
        result = posted(server.url)
    assert (result.is_delivered, result.response_excerpt) == (True, "{}")
    assert result.address == f"127.0.0.1:{server.port}"


def test_an_http_endpoint_that_was_made_before_gets_nothing(configure: Configure) -> None:
    configure(webhook_https_only=True)
    with serving(polite) as server:
        result = posted(server.url)
        assert server.accepted == 0
    assert (result.failure, result.is_permanent) == ("policy", True)


@pytest.mark.parametrize(("setting", "kind"), [("retry", "temporary"), ("fail", "policy")])
def test_a_bad_certificate_is_retried_or_fails_at_once(
    configure: Configure,
    monkeypatch: pytest.MonkeyPatch,
    certificate: Certificate,
    setting: str,
    kind: str,
) -> None:
    resolve_all_to_localhost(monkeypatch)
    configure(webhook_bad_certificate=setting)
    with serving(polite, certificate.server_context) as server:
        assert posted(f"https://hooks.test:{server.port}/").failure == kind


def test_a_bundle_adds_authorities(
    configure: Configure, monkeypatch: pytest.MonkeyPatch, certificate: Certificate
) -> None:
    resolve_all_to_localhost(monkeypatch)
    configure(webhook_ca_bundle=Path(certificate.path))
    with serving(polite, certificate.server_context) as server:
        assert posted(f"https://hooks.test:{server.port}/").is_delivered


def test_a_proxy_is_asked_and_its_no_is_final(configure: Configure) -> None:
    def refuse(peer: Peer) -> None:
        peer.read_request()
        peer.send(b"HTTP/1.1 403 Forbidden\r\n\r\n")

    with serving(refuse) as proxy:
        configure(webhook_proxy=SecretStr(f"http://user:secret@127.0.0.1:{proxy.port}"))
        result = posted("https://hooks.test/in")
    assert proxy.requests[0].startswith(b"CONNECT hooks.test:443 HTTP/1.1\r\n")
    assert result.failure == "policy"


@pytest.mark.django_db
def test_http_urls_are_refused_by_the_api(configure: Configure, api: Client) -> None:
    configure(webhook_https_only=True)
    for path, name in (("/api/webhooks", "url"), ("/api/instances", "webhookUrl")):
        answer = post(api, path, {name: "http://a.example/x?token=hush"})
        assert answer.status_code == 400
        assert "Webhook URL must begin with https://" in answer.content.decode()
        assert "hush" not in answer.content.decode()
    assert post(api, "/api/webhooks", {"url": "https://a.example/x"}).status_code == 201
