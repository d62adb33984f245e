"""A webhook receiver within the process, in place of ``deliver``."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random

from standardwebhooks import Webhook
from standardwebhooks.webhooks import WebhookVerificationError

from devtools.faults.ledger import Message
from devtools.faults.simulated.clock import VirtualClock
from egress.webhooks.sending import DeliveryResult

URL = "https://receiver.test/hook"


@dataclass(slots=True)
class Receiver:
    """Accepts, refuses for a while, or accepts and loses the answer; ``share``: of the messages."""

    random: Random
    clock: VirtualClock
    tell: Callable[[str], None]
    secret: str = ""
    share: float = 0.0
    ends_ms: int | None = None
    messages: list[Message] = field(default_factory=list)

    def deliver(
        self, url: str, body: bytes, headers: Mapping[str, str], **options: object
    ) -> DeliveryResult:
        """Replaces ``egress.webhooks.sending.deliver``."""
        mood = self._mood()
        message = Message(
            message_id=headers["webhook-id"],
            body=json.loads(body),
            is_accepted=mood in ("", "lost"),
            verified=self._verified(body, headers),
        )
        self.messages.append(message)
        self.tell(
            f"webhook {message.body['type']} of {message.body['instanceId']}"
            f"{f' !! {mood}' if mood else ''}"
        )
        self.clock.sleep(15 if mood in ("lost", "hangs") else 0.05)
        return _result(mood)

    def _mood(self) -> str:
        is_over = self.ends_ms is not None and self.clock.now_ms >= self.ends_ms
        if is_over or self.random.random() >= self.share:
            return ""
        return self.random.choice(("500", "503", "500", "lost", "hangs", "410"))

    def _verified(self, body: bytes, headers: Mapping[str, str]) -> str:
        try:
            Webhook(self.secret).verify(body, dict(headers), json_parse=False)
        except (WebhookVerificationError, ValueError) as error:
            return str(error) or type(error).__name__
        return "ok"


def _result(mood: str) -> DeliveryResult:
    if mood in ("lost", "hangs"):
        return DeliveryResult(None, False, None, "no answer within 15 s", 15.0)
    status = int(mood or 200)
    return DeliveryResult(
        status_code=status,
        is_delivered=status == 200,
        retry_after=None,
        error=None if status == 200 else f"the endpoint answered {status}",
        seconds=0.05,
        is_permanent=status == 410,
    )
