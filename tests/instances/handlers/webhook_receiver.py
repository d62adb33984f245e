"""A receiver of webhooks, and what is on its way to it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from core.clock import database_now
from egress.webhooks.sending import DeliveryResult
from instances.domain.enums import InstanceStatus
from instances.domain.types import Cause
from instances.lifecycle.transitions import change_status
from instances.models import Instance
from jobs.models import Job
from webhooks.models import Delivery

if TYPE_CHECKING:
    from tests.instances.handlers.conftest import Service

CAUSE = Cause("worker", request_id="req-2")


def answer(status: int, **fields: Any) -> DeliveryResult:
    is_delivered = 200 <= status < 300
    values: dict[str, Any] = {
        "status_code": status,
        "is_delivered": is_delivered,
        "retry_after": None,
        "error": None if is_delivered else f"the endpoint answered {status}",
        "seconds": 0.1,
        "is_permanent": status == 410,
    }
    return DeliveryResult(**(values | fields))


@dataclass
class Receiver:
    """Keeps what it is sent; answers 200 unless told otherwise.

    meanwhile: what happens here while it is at it.
    """

    answers: list[DeliveryResult] = field(default_factory=list)
    got: list[tuple[str, bytes, dict[str, str]]] = field(default_factory=list)
    meanwhile: Callable[[], object] = lambda: None

    def deliver(
        self, url: str, body: bytes, headers: dict[str, str], **options: Any
    ) -> DeliveryResult:
        self.got.append((url, body, headers))
        self.meanwhile()
        return self.answers.pop(0) if self.answers else answer(200)

    @property
    def types(self) -> list[str]:
        return [json.loads(body)["type"] for _, body, _ in self.got]


def move_on(instance: Instance, to: InstanceStatus) -> None:
    instance.upstream_id = "up-1"
    change_status(instance, to, cause=CAUSE, now=database_now())


def send(service: Service, *, times: int = 1) -> None:
    service.run("deliver_webhooks", times=times)


def live_jobs() -> list[Job]:
    return list(Job.objects.live().filter(type="deliver_webhooks"))


def deliveries() -> list[str]:
    return list(Delivery.objects.order_by("message_id").values_list("status", flat=True))
