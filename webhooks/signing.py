"""Signing keys of endpoints."""

from datetime import datetime

from accounts.webhook_secrets import Secrets, secrets_of
from webhooks.models import Endpoint, EndpointKind


def keys_of(endpoint: Endpoint, now: datetime) -> Secrets:
    """The keys that sign an endpoint's messages: its own, or the project's for the ``webhookUrl``
    of an instance. The former key signs too until the overlap of its rotation is over.
    """
    if endpoint.kind == EndpointKind.INSTANCE:
        return secrets_of(endpoint.project, now)
    until = endpoint.previous_secret_until
    is_former_valid = until is not None and now < until and bool(endpoint.previous_secret)
    former = (str(endpoint.previous_secret),) if is_former_valid else ()
    return Secrets(str(endpoint.secret), former)
