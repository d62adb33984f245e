"""JSON of an instance (API and webhooks) and of an event (lists and streams)."""

from datetime import datetime
from typing import Any

from core.clock import iso
from instances.domain.enums import StatusReason
from instances.domain.money import usd_text
from instances.lifecycle.charges import cost_so_far_e5_usd
from instances.models import Instance, InstanceEvent


def instance_details(instance: Instance, *, now: datetime) -> dict[str, Any]:
    """Empty optional fields are left out. ``now``: end of the cost of a live instance."""
    details: dict[str, Any] = {
        "id": instance.public_id,
        "name": instance.name,
        "status": instance.status,
        "gpuNum": instance.gpu_num,
        "region": instance.region,
        "product": {"name": instance.product_name, **_present(id=instance.product_id)},
        "templateId": instance.template_id,
        "rootfsSize": instance.rootfs_size_gb,
        "billingMode": instance.billing_mode,
        "tags": instance.tags,
        "portMappings": instance.port_mappings,
        "createdAt": iso(instance.created_at),
        "events": f"/api/instances/{instance.public_id}/events",
        "jobs": f"/api/jobs?instance={instance.public_id}",
    }
    details |= _present(
        connectionDetails=instance.connection,
        novitaInstanceId=instance.upstream_id,
        novitaStatus=instance.upstream_status,
        startedAt=instance.started_at and iso(instance.started_at),
        readyAt=instance.ready_at and iso(instance.ready_at),
        endedAt=instance.ended_at and iso(instance.ended_at),
        expiresAt=instance.expires_at and iso(instance.expires_at),
        maxRuntimeMinutes=instance.max_runtime_minutes,
        spotNoticeAt=instance.spot_noticed_at and iso(instance.spot_noticed_at),
        spotReclaimAt=instance.spot_reclaim_at and iso(instance.spot_reclaim_at),
        readinessProbe=instance.readiness_probe,
        readinessError=instance.probe_error,
        error=_error(instance),
        statusReason=_reason(instance),
        waiting=_waiting(instance),
        placement=instance.placement,
    )
    return details | _prices(instance, now)


def _prices(instance: Instance, now: datetime) -> dict[str, str]:
    prices = {}
    if instance.max_price_per_hour_e5_usd is not None:
        prices["maxPricePerHourUsd"] = usd_text(instance.max_price_per_hour_e5_usd)
    if instance.price_e5_usd is None:
        return prices
    prices["pricePerHourUsd"] = usd_text(instance.price_e5_usd * instance.gpu_num)
    if instance.started_at is not None:
        prices["costUsd"] = usd_text(cost_so_far_e5_usd(instance, now))
    return prices


def _error(instance: Instance) -> dict[str, str] | None:
    if not instance.error_code:
        return None
    return {"code": instance.error_code, "message": instance.error_message}


def _reason(instance: Instance) -> dict[str, str] | None:
    """Trouble that Novita reports now, else the reason of a status that nobody asked for.

    A failure has its own field.
    """
    if instance.trouble_code and instance.reason_code != StatusReason.NOT_SEEN_AT_NOVITA:
        return {"code": instance.trouble_code, "message": instance.trouble_message}
    if not instance.reason_code:
        return None
    return {"code": instance.reason_code, "message": instance.reason_message}


def _waiting(instance: Instance) -> dict[str, str] | None:
    if not instance.wait_code or instance.waiting_since is None:
        return None
    return {
        "code": instance.wait_code,
        "message": instance.wait_message,
        "since": iso(instance.waiting_since),
    }


def _present(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value}


def event_details(event: InstanceEvent, instance_public_id: str) -> dict[str, Any]:
    """Empty optional fields are left out."""
    details: dict[str, Any] = {
        "id": event.public_id,
        "instanceId": instance_public_id,
        "sequence": event.sequence,
        "type": event.type,
        "occurredAt": iso(event.occurred_at),
        "actor": event.actor,
    }
    return details | _present(
        fromStatus=event.from_status,
        toStatus=event.to_status,
        cause=event.cause,
        requestId=event.request_id,
        jobId=event.job_id,
        data=event.data,
    )
