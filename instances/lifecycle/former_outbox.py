"""Takes over the messages that release 0.5.0 left unsent, with their ids and in their order.

Remove it, with the model WebhookDelivery, in the release after the next.
"""

import json

from core.inserts import insert
from instances.domain.enums import DeliveryStatus
from instances.models import Instance, WebhookDelivery
from webhooks import lanes, outbox
from webhooks.models import Delivery, Message
from webhooks.outbox import Draft


def take_over(instance: Instance) -> None:
    """Move the pending messages of a locked instance into the lane of its endpoint."""
    pending = WebhookDelivery.objects.filter(instance=instance, status=DeliveryStatus.PENDING)
    rows = list(pending.order_by("id"))
    if not rows:
        return
    for row in rows:
        _move(instance, row)
    pending.filter(pk__in=[row.pk for row in rows]).delete()


def _move(instance: Instance, row: WebhookDelivery) -> None:
    message = Message(
        public_id=row.public_id,
        project=instance.project,
        type=str(row.payload.get("type", "")),
        subject=instance.public_id,
        body=json.dumps(row.payload, separators=(",", ":")),
    )
    insert(message)
    if not instance.webhook_url:
        return
    draft = Draft(instance.project, "", instance.public_id, {}, own_url=instance.webhook_url)
    endpoint = outbox.own_endpoint(draft)
    if endpoint is None:
        return
    if endpoint._state.adding:
        endpoint.save(force_insert=True)
    delivery = outbox.new_delivery(message, endpoint)
    delivery.attempts = row.attempts
    Delivery.save(delivery, force_insert=True)
    lanes.enqueue(endpoint, instance.public_id)
