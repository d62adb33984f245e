"""One answer of the upstream to one call of the client, and what came of it."""

from __future__ import annotations

import json
from typing import Any

import responses

from tests.upstream.sent_requests import SEND
from upstream.answers.consequences import CallKind, what_follows
from upstream.client import DEFAULT_BASE_URL, NovitaClient
from upstream.errors import NovitaError
from upstream.types import CreateRequest

ID = "3560b7fec915bbf9"
KEY = "sk_test-key-0123"
LIST, GET, TEMPLATE, CREATE, VERB, DELETE = CallKind

_ROUTES = {
    LIST: ("GET", "/gpu/instances"),
    GET: ("GET", "/gpu/instance"),
    TEMPLATE: ("GET", "/template"),
    CREATE: ("POST", "/gpu/instance/create"),
    VERB: ("POST", "/gpu/instance/stop"),
    DELETE: ("POST", "/gpu/instance/delete"),
}


class Ended:
    """How a call ended: its value or its error, and what follows."""

    def __init__(self, kind: CallKind, value: Any, error: NovitaError | None, client: NovitaClient):
        self.value, self.error = value, error
        self.record = client.calls[-1]
        self.follows = what_follows(error, kind)

    @property
    def told(self) -> tuple[str, str, str]:
        """The speaker, the class of the error and what follows: "novita", "NotFound", "hold"."""
        error = self.error
        name = type(error).__name__ if error is not None else "-"
        return str(error.source if error else "novita"), name, str(self.follows)


def answer(kind: CallKind, status: int, body: Any, headers: dict[str, str] | None = None) -> Ended:
    """`body`: text as it is, anything else as JSON."""
    method, path = _ROUTES[kind]
    sent = body if isinstance(body, str | bytes) else json.dumps(body)
    client = NovitaClient(DEFAULT_BASE_URL, KEY)
    with responses.RequestsMock(target=SEND) as mock:
        mock.add(method, DEFAULT_BASE_URL + path, body=sent, status=status, headers=headers)
        try:
            return Ended(kind, _call(client, kind), None, client)
        except NovitaError as error:
            return Ended(kind, None, error, client)


def _call(client: NovitaClient, kind: CallKind) -> Any:
    if kind is LIST:
        return client.list_instances(page=1)
    if kind is GET:
        return client.get_instance(ID)
    if kind is TEMPLATE:
        return client.get_template("212")
    if kind is CREATE:
        return client.create_instance(CreateRequest("n", "4090.16c62g", 1, 60, "img"))
    return client.stop_instance(ID) if kind is VERB else client.delete_instance(ID)
