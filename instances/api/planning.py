"""POST /api/instances/plan: what the same request would come to."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.scopes import Scope
from core.clock import iso
from instances import services
from instances.api import catalogue_documentation as documentation
from instances.api.catalogue import aged
from instances.api.serializers import CreateInstance
from instances.api.views import caller_of
from instances.catalogue.placement import Offer
from instances.domain.money import usd_text


class PlanView(APIView):
    """Writes nothing, so a key that may look may ask, and an Idempotency-Key claims nothing."""

    required_scopes = {"POST": Scope.READ}

    @extend_schema(**documentation.PLAN)
    def post(self, request: Request) -> Response:
        wish = CreateInstance.wish(request.data)
        services.find_template(wish.template_id, request_id=getattr(request, "request_id", ""))
        plan = services.plan_instance(project=caller_of(request).project, wish=wish)
        return Response(plan_details(plan))


def plan_details(plan: services.Plan) -> dict[str, Any]:
    """Optional fields are absent rather than null."""
    offers = [_offer(offer, plan.wish.gpu_num) for offer in plan.ranking.offers]
    details: dict[str, Any] = {
        "wouldBeAccepted": not plan.refusals,
        "wouldBePlaced": plan.is_placeable,
        "templateChecked": plan.is_template_checked,
        "reasons": [_objection(each) for each in (*plan.refusals, *plan.obstacles)],
        "warnings": [_objection(each) for each in plan.warnings],
        "rootfsSize": plan.wish.rootfs_size_gb,
        "offers": offers,
        "rejected": [
            {"productId": each.product_id, "code": each.code.value, "reason": each.reason}
            for each in plan.ranking.rejections
        ],
        "estimatedReadyTime": iso(plan.estimated_ready_at),
        **_limits(plan),
        **aged(plan.prices_as_of, plan.now),
    }
    if plan.is_placeable:
        details["chosen"] = offers[0]
    return details


def _offer(offer: Offer, gpu_num: int) -> dict[str, str]:
    return {
        "productId": offer.product_id,
        "productName": offer.product_name,
        "pricePerGpuHourUsd": usd_text(offer.price_e5_usd),
        "pricePerHourUsd": usd_text(offer.price_e5_usd * gpu_num),
    }


def _objection(objection: services.Objection) -> dict[str, str]:
    named = {"field": objection.field} if objection.field else {}
    return {"code": objection.code, "message": objection.message, **named}


def _limits(plan: services.Plan) -> dict[str, Any]:
    """As the project fills in what the request leaves open."""
    limits: dict[str, Any] = {}
    if plan.wish.max_price_per_hour_e5_usd is not None:
        limits["maxPricePerHourUsd"] = usd_text(plan.wish.max_price_per_hour_e5_usd)
    if plan.wish.max_runtime_minutes is not None:
        limits["maxRuntimeMinutes"] = plan.wish.max_runtime_minutes
    return limits
