"""What can be had, from what the workers listed last; nothing here asks Novita."""

from collections.abc import Collection, Sequence
from typing import Any, cast

from django.conf import settings
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.rest.authentication import Caller
from core.clock import database_now
from core.query_fields import OneOf, SearchedText
from core.query_parameters import misplaced
from instances.api import catalogue_documentation as documentation
from instances.api.catalogue_answers import (
    ListedProduct,
    ListedRegion,
    ListedTemplate,
    ProductList,
    RegionList,
    TemplateList,
    age,
)
from instances.catalogue import browse
from instances.catalogue.browse import RegionalProduct
from instances.catalogue.placement import is_same_name
from instances.domain.enums import BillingMode

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

    def choose(self, products: Sequence[RegionalProduct]) -> list[RegionalProduct]:
        """Those that the parameters name, sorted; ``is_valid`` was called."""
        given = self.validated_data
        modes = [given["billingMode"]] if "billingMode" in given else list(BillingMode)
        chosen = [
            regional
            for regional in products
            if any(regional.price_e5_usd(mode) is not None for mode in modes)
            and ("name" not in given or is_same_name(regional.product.name, given["name"]))
            and (
                "available" not in given
                or any(map(regional.is_available, modes)) == (given["available"] == "true")
            )
        ]
        # Twice, since ties go by id whichever way the prices do.
        chosen.sort(key=lambda regional: (regional.product.id, regional.region))
        chosen.sort(
            key=lambda regional: _lowest(regional, modes), reverse=given["sort"].startswith("-")
        )
        return chosen


def _lowest(regional: RegionalProduct, modes: Sequence[str]) -> int:
    prices = (regional.price_e5_usd(mode) for mode in modes)
    return min((price for price in prices if price is not None), default=_NO_PRICE)


class ProductsView(APIView):
    """GPUs with their prices and stock."""

    @extend_schema(**documentation.PRODUCTS)
    def get(self, request: Request) -> Response:
        asked = ProductFilter(data=request.query_params.dict())
        _check_parameters(request, asked.fields)
        asked.is_valid(raise_exception=True)
        region = asked.validated_data.get("region")
        product_listing = browse.product_listing(None if region is None else [region])
        rows = [ListedProduct.of(regional) for regional in asked.choose(product_listing.products)]
        as_of, seconds = product_listing.as_of, age(product_listing.as_of, database_now())
        answer = ProductList(products=rows, total=len(rows), asOf=as_of, ageSeconds=seconds)
        return Response(answer.as_json())


class TemplatesView(APIView):
    """What an instance can be made from."""

    @extend_schema(**documentation.TEMPLATES)
    def get(self, request: Request) -> Response:
        _check_parameters(request, ())
        found, as_of = browse.templates(cast(Caller, request.user).project)
        rows, seconds = [ListedTemplate.of(each) for each in found], age(as_of, database_now())
        answer = TemplateList(templates=rows, total=len(rows), asOf=as_of, ageSeconds=seconds)
        return Response(answer.as_json())


class RegionsView(APIView):
    """Where an instance can be."""

    @extend_schema(**documentation.REGIONS)
    def get(self, request: Request) -> Response:
        _check_parameters(request, ())
        found, as_of = browse.regions()
        rows, seconds = [ListedRegion.of(each) for each in found], age(as_of, database_now())
        answer = RegionList(regions=rows, total=len(rows), asOf=as_of, ageSeconds=seconds)
        return Response(answer.as_json())


def _check_parameters(request: Request, known: Collection[str]) -> None:
    if errors := misplaced(request.query_params, known):
        raise ValidationError(errors)
