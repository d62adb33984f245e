"""What can be had, from what the workers listed last; nothing here asks Novita."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, cast

from django.conf import settings
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.rest.authentication import Caller
from core.clock import database_now, iso
from core.query_fields import OneOf, SearchedText
from core.query_parameters import misplaced
from instances.api import catalogue_documentation as documentation
from instances.catalogue import browse
from instances.catalogue.browse import RegionalProduct
from instances.catalogue.placement import is_same_name
from instances.domain.enums import BillingMode
from instances.domain.money import usd_text
from instances.models import ListedTemplate

_NO_PRICE = 1 << 62
SORTS = ("price", "-price")


class ProductFilter(serializers.Serializer[Any]):
    """The parameters; each narrows the list further."""

    region = OneOf(
        choices=[], required=False, help_text="a region's code; without one, all regions"
    )
    name = SearchedText(required=False, help_text="a product's name, in whatever case")
    billingMode = OneOf(
        BillingMode.choices, required=False, help_text="offered so; the price to sort by, too"
    )
    available = OneOf(["true", "false"], required=False, help_text="whether one can be had now")
    sort = OneOf(
        SORTS, required=False, default=SORTS[0], help_text="by the price of a GPU; - for dearest"
    )

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.fields["region"].choices = list(settings.CONFIG.regions)  # type: ignore[attr-defined]

    def choose(self, articles: Sequence[RegionalProduct]) -> list[RegionalProduct]:
        """Those that the parameters name, sorted; ``is_valid`` was called."""
        given = self.validated_data
        modes = [given["billingMode"]] if "billingMode" in given else list(BillingMode)
        chosen = [
            article
            for article in articles
            if any(article.price_e5_usd(mode) is not None for mode in modes)
            and ("name" not in given or is_same_name(article.product.name, given["name"]))
            and (
                "available" not in given
                or any(map(article.is_available, modes)) == (given["available"] == "true")
            )
        ]
        # Twice, since ties go by id whichever way the prices do.
        chosen.sort(key=lambda article: (article.product.id, article.region))
        chosen.sort(
            key=lambda article: _lowest(article, modes), reverse=given["sort"].startswith("-")
        )
        return chosen


def _lowest(article: RegionalProduct, modes: Sequence[str]) -> int:
    prices = (article.price_e5_usd(mode) for mode in modes)
    return min((price for price in prices if price is not None), default=_NO_PRICE)


class ProductsView(APIView):
    """GPUs with their prices and stock."""

    @extend_schema(**documentation.PRODUCTS)
    def get(self, request: Request) -> Response:
        asked = ProductFilter(data=request.query_params.dict())
        _check_parameters(request, asked.fields)
        asked.is_valid(raise_exception=True)
        region = asked.validated_data.get("region")
        goods = browse.goods(None if region is None else [region])
        rows = [product_details(article) for article in asked.choose(goods.articles)]
        return Response(_listed("products", rows, goods.as_of))


class TemplatesView(APIView):
    """What an instance can be made from."""

    @extend_schema(**documentation.TEMPLATES)
    def get(self, request: Request) -> Response:
        _check_parameters(request, ())
        found, as_of = browse.templates(cast(Caller, request.user).project)
        return Response(_listed("templates", [template_details(each) for each in found], as_of))


class RegionsView(APIView):
    """Where an instance can be."""

    @extend_schema(**documentation.REGIONS)
    def get(self, request: Request) -> Response:
        _check_parameters(request, ())
        found, as_of = browse.regions()
        return Response(_listed("regions", [region_details(each) for each in found], as_of))


def product_details(article: RegionalProduct) -> dict[str, Any]:
    """Optional fields are absent rather than null."""
    product = article.product
    details: dict[str, Any] = {
        "id": product.id,
        "name": product.name,
        "region": article.region,
        "billingModes": [
            mode.value for mode in BillingMode if article.price_e5_usd(mode) is not None
        ],
        "available": {mode.value: article.is_available(mode) for mode in BillingMode},
        "minRootfsSize": product.min_rootfs_gb,
        "cpuPerGpu": product.cpu_per_gpu,
        "memoryPerGpu": product.memory_per_gpu_gb,
    }
    stock = {
        mode: listed.inventory_state
        for mode, listed in article.listed.items()
        if listed.inventory_state
    }
    if stock:
        details["stock"] = stock
    if product.max_rootfs_gb is not None:
        details["maxRootfsSize"] = product.max_rootfs_gb
    names = {
        BillingMode.SPOT: "spotPricePerGpuHourUsd",
        BillingMode.ON_DEMAND: "onDemandPricePerGpuHourUsd",
    }
    prices = {name: article.price_e5_usd(mode) for mode, name in names.items()}
    return details | {name: usd_text(e5) for name, e5 in prices.items() if e5 is not None}


def template_details(template: ListedTemplate) -> dict[str, Any]:
    """Without env values and commands, which may hold secrets."""
    details: dict[str, Any] = {
        "id": template.template_id,
        "name": template.name,
        "ports": template.ports,
    }
    optional = {
        "channel": template.channel,
        "type": template.type,
        "image": template.image,
        "rootfsSize": template.rootfs_size_gb,
        "minCudaVersion": template.min_cuda_version,
    }
    return details | {name: value for name, value in optional.items() if value}


def region_details(region: browse.Region) -> dict[str, Any]:
    details: dict[str, Any] = {
        "code": region.code,
        "isDefault": region.code == settings.CONFIG.default_region,
        "isListed": region.cluster is not None,
    }
    if region.cluster is not None:
        details["cluster"] = {"id": region.cluster.id, "name": region.cluster.name}
    return details


def aged(as_of: datetime | None, now: datetime) -> dict[str, Any]:
    """How old it is; nothing before the first listing."""
    if as_of is None:
        return {}
    return {"asOf": iso(as_of), "ageSeconds": max(int((now - as_of).total_seconds()), 0)}


def _listed(name: str, rows: Sequence[Any], as_of: datetime | None) -> dict[str, Any]:
    return {name: rows, "total": len(rows), **aged(as_of, database_now())}


def _check_parameters(request: Request, known: Collection[str]) -> None:
    if errors := misplaced(request.query_params, known):
        raise ValidationError(errors)
