"""Waits for the answer to a test message."""

import threading
import time

from webhooks.api.answers import TestResult
from webhooks.models import Attempt, Delivery, DeliveryStatus

POLL_SECONDS = 0.1
# Each waiting request holds a thread of the web process; those beyond are answered at once.
MOST_WAITING = 2
_places = threading.BoundedSemaphore(MOST_WAITING)


def result(delivery_id: str, *, seconds: float) -> TestResult:
    """The result of a test message; without ``delivered`` if it is not known in time."""
    if not _places.acquire(blocking=False):
        return _result(delivery_id)
    try:
        return _wait(delivery_id, time.monotonic() + seconds)
    finally:
        _places.release()


def _wait(delivery_id: str, deadline: float) -> TestResult:
    found = _result(delivery_id)
    while found.delivered is None and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
        found = _result(delivery_id)
    return found


def _result(delivery_id: str) -> TestResult:
    delivery = Delivery.objects.get(public_id=delivery_id)
    if delivery.status == DeliveryStatus.PENDING:
        return TestResult(deliveryId=delivery_id)
    last = Attempt.objects.filter(delivery=delivery).order_by("-id").first()
    return TestResult.of(delivery, last)
