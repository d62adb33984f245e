"""A client of the service, with its own record of what it was promised."""

import hashlib
import json
import secrets
import time
from collections.abc import Mapping
from typing import Any

import psycopg
import requests

from devtools.faults.real.processes import wait_until
from devtools.simulator.control import InstanceTruth
from devtools.simulator.process import ReceiverProcess, SimulatorProcess

SECRET = "whsec_dGVzdHMgb25seSwgdGVzdHMgb25seSwgdGVzdHM="  # noqa: S105 - signs nothing real
EXAMPLE: Mapping[str, Any] = {
    "name": "my-gpu-instance",
    "productName": "A100-SXM4-40GB",
    "templateId": "tf-training-template-1",
    "gpuNum": 2,
    "rootfsSize": 100,
    "region": "US-WEST-01",
}


class RefusedError(AssertionError):
    """The service did not accept a valid request."""


class UnverifiedError(AssertionError):
    """The receiver accepted a message whose signature is wrong."""


class Caller:
    """A client with a key of its own that records the accepted instances."""

    simulator: SimulatorProcess
    receiver: ReceiverProcess

    def __init__(self) -> None:
        self.url = ""
        self.key = ""
        self.accepted: list[str] = []
        # Instances that it asked to end, answered or not, with the first time.
        self.asked: dict[str, int] = {}

    def call(self, method: str, path: str, **options: Any) -> requests.Response:
        headers = {"Authorization": f"Bearer {self.key}", **options.pop("headers", {})}
        url = options.pop("url", "") or self.url
        if method == "DELETE":
            self.asked.setdefault(path.rpartition("/")[2], round(time.time() * 1000))
        return requests.request(method, url + path, headers=headers, timeout=30, **options)

    def create(self, **changes: Any) -> str:
        """POST the example request with some fields changed; returns the instance id."""
        answer = self.call("POST", "/api/instances", json=self.create_body(**changes))
        if answer.status_code != 201:
            raise RefusedError(answer.text)
        instance_id: str = answer.json()["instanceId"]
        self.accepted.append(instance_id)
        return instance_id

    def create_body(self, **changes: Any) -> dict[str, Any]:
        name = f"flow-{secrets.token_hex(4)}"
        hook = self.receiver.control.url("/hook")
        return {**EXAMPLE, "name": name, "webhookUrl": hook, **changes}

    def create_insisting(self, *, seconds: float = 30, **changes: Any) -> str:
        """Like ``create``, repeated while the service is unavailable, as a persistent client does.

        If an answer is lost, an instance may exist that the caller does not know.
        """
        body = self.create_body(**changes)
        deadline = time.monotonic() + seconds
        while True:
            try:
                return self.create(**body)
            except (requests.RequestException, RefusedError):
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)

    def get(self, instance_id: str) -> dict[str, Any]:
        answer = self.call("GET", f"/api/instances/{instance_id}")
        if answer.status_code != 200:
            raise RefusedError(answer.text)
        details: dict[str, Any] = answer.json()
        return details

    def wait_for(self, instance_id: str, *statuses: str, seconds: float = 30) -> dict[str, Any]:
        def reached() -> dict[str, Any] | None:
            details = self.get(instance_id)
            return details if details["status"] in statuses else None

        what = f"for {instance_id} to be {statuses}"
        return wait_until(reached, seconds=seconds, what=what) or {}

    def truths(self, instance_id: str) -> list[InstanceTruth]:
        """Everything that was ever made upstream for an instance."""
        name = self.get(instance_id)["name"]
        ledger = self.simulator.control.ledger()
        return [truth for truth in ledger.instances if truth.name.startswith(f"{name}-")]

    def messages(self, instance_id: str | None = None) -> list[dict[str, Any]]:
        """Accepted messages in order; the receiver verified each one when it arrived."""
        verified = []
        for delivery in self.receiver.control.deliveries("/hook"):
            if delivery["status"] != 200:
                continue
            if delivery["verified"] != "ok":
                raise UnverifiedError(delivery["verified"])
            body = json.loads(delivery["body"])
            if instance_id in (None, body["instanceId"]):
                verified.append(body)
        return verified

    def wait_for_message(self, instance_id: str, type_: str, seconds: float = 30) -> dict[str, Any]:
        def arrived() -> dict[str, Any] | None:
            found = [m for m in self.messages(instance_id) if m["type"] == type_]
            return found[0] if found else None

        return wait_until(arrived, seconds=seconds, what=f"for {type_} of {instance_id}") or {}


def make_key(url: str, project: str = "default") -> str:
    """Insert a project and an API key, as the service does."""
    key = f"nvt_{secrets.token_urlsafe(32)}"
    with psycopg.connect(url) as database:
        database.execute(
            """
            WITH made AS (
                INSERT INTO accounts_project (public_id, name, webhook_secret)
                VALUES (%s, %s, '') ON CONFLICT (name) DO UPDATE SET name = EXCLUDED.name
                RETURNING id
            )
            INSERT INTO accounts_apikey (public_id, project_id, name, start, digest, scopes)
            SELECT %s, id, 'flows', %s, %s, '{read,write,admin,credentials}' FROM made
            """,
            [
                f"proj_{secrets.token_hex(12)}",
                project,
                f"key_{secrets.token_hex(12)}",
                key[:9],
                hashlib.sha256(key.encode()).hexdigest(),
            ],
        )
    return key
