"""Makes clients for Novita: one connection pool for each process, one permit for each client."""

from functools import cache

from django.conf import settings

from egress.transport import Transport
from instances.models import Installation
from instances.novita.limiter import Permit
from instances.novita.name_signing import NameSigner
from upstream.call_records import CallBudget
from upstream.client import NovitaClient

# Far above the longest page of a list, far below a worker's memory.
MAX_BODY_BYTES = 10_000_000


@cache
def _transport() -> Transport:
    """Created at the first call, and so after the fork of the worker process."""
    return Transport(max_body_bytes=MAX_BODY_BYTES)


def client(permit: Permit, *, request_id: str = "") -> NovitaClient:
    """Client that may make the permitted calls and no more. For ``call``: no database access."""
    config = settings.CONFIG
    key = config.novita_api_key.get_secret_value() if config.novita_api_key else ""
    return NovitaClient(
        config.novita_api_base_url,
        key,
        timeout_seconds=config.novita_timeout,
        budget=CallBudget(permit.calls),
        request_id=request_id or None,
        transport=_transport(),
    )


def name_signer() -> NameSigner:
    """Name signer of this installation, which is created at the first use. For ``load``."""
    row, _ = Installation.objects.get_or_create(id=1)
    return NameSigner(row.installation_id, row.signing_key)
