"""What a lane's job sends, and the request for each message. No database here."""

import base64
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.conf import settings

from accounts.webhook_secrets import Secrets
from egress.proxy import Proxy
from egress.transport import Transport
from egress.webhooks.sending import DeliveryResult, deliver, shared_transport
from egress.webhooks.signing import signed_headers
from jobs.failpoints import failpoint
from webhooks.lanes import Lane
from webhooks.limits import allowed_networks

# A lane begins no further message after this time, so that others get its place.
LONGEST_RUN_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Letter:
    """A message to send; ``body`` is signed and sent as these exact bytes."""

    delivery_id: int
    message_id: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Mail:
    """The letters of one lane, in order, with the receiver as it was when they were read."""

    lane: Lane
    letters: Sequence[Letter]
    url: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    secrets: Secrets = field(repr=False)
    sent_at: datetime


@dataclass(frozen=True, slots=True)
class Posted:
    """One attempt; ``after``: seconds since the first one of this job began."""

    letter: Letter
    result: DeliveryResult
    after: float


def post_all(mail: Mail) -> Sequence[Posted]:
    """Send the letters in order, up to the first that is not received."""
    began = time.monotonic()
    posted: list[Posted] = []
    for letter in mail.letters:
        after = time.monotonic() - began
        if posted and after > LONGEST_RUN_SECONDS:
            break
        posted.append(Posted(letter, _post(mail, letter), after))
        failpoint("webhook.after_send")
        if not posted[-1].result.is_delivered:
            break
    return posted


def _post(mail: Mail, letter: Letter) -> DeliveryResult:
    config = settings.CONFIG
    signature = signed_headers(
        mail.secrets.current,
        letter.message_id,
        letter.body,
        mail.sent_at,
        also_sign_with=mail.secrets.former,
    )
    return deliver(
        mail.url,
        letter.body,
        {**mail.headers, "Content-Type": "application/json", **signature},
        allowed_networks=allowed_networks(),
        https_only=config.are_webhooks_https_only,
        is_bad_certificate_final=config.webhook_bad_certificate == "fail",
        timeout_seconds=config.webhook_timeout,
        transport=_transport(),
    )


def _transport() -> Transport:
    """Through WEBHOOK_PROXY, trusting WEBHOOK_CA_BUNDLE besides the public authorities."""
    config = settings.CONFIG
    url, bundle = config.webhook_proxy, config.webhook_ca_bundle
    proxy = Proxy.from_url(url.get_secret_value()) if url is not None else None
    return shared_transport(proxy, str(bundle) if bundle is not None else None)


def headers_of(headers: Mapping[str, str], basic_auth: str) -> dict[str, str]:
    """An endpoint's own headers, with its basic authentication."""
    if not basic_auth:
        return dict(headers)
    encoded = base64.b64encode(basic_auth.encode()).decode()
    return {**headers, "Authorization": f"Basic {encoded}"}
