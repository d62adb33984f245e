"""A received webhook, and its verification as a customer would do it."""

import base64
import json
from dataclasses import dataclass
from typing import Any

import standardwebhooks
from standardwebhooks.webhooks import WebhookVerificationError

from devtools.launcher.client import call
from devtools.launcher.errors import DemoError

SIGNING_HEADERS = ("webhook-id", "webhook-timestamp", "webhook-signature")


@dataclass(frozen=True)
class Webhook:
    """One delivery, as it was received."""

    headers: dict[str, str]
    body: bytes

    @property
    def message(self) -> dict[str, Any]:
        message: dict[str, Any] = json.loads(self.body)
        return message

    def verify(self, secret: str) -> None:
        """Verify the raw bytes with the specification's library. Raises DemoError."""
        try:
            standardwebhooks.Webhook(secret).verify(self.body, self.headers)
        except WebhookVerificationError as error:
            raise DemoError(f"A webhook arrived, but its signature is wrong: {error}") from error


def find_webhook(receiver: str, instance_id: str, kind: str) -> Webhook | None:
    """The delivery of that type about that instance, if the receiver has it."""
    _, answer = call("GET", f"{receiver}_receiver/deliveries")
    for delivery in answer["deliveries"]:
        headers = {name.lower(): value for name, value in delivery["headers"].items()}
        webhook = Webhook(headers, base64.b64decode(delivery["bodyBase64"]))
        message = webhook.message
        if (message.get("instanceId"), message.get("type")) == (instance_id, kind):
            return webhook
    return None
