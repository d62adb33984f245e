"""Which instances a caller asks for: the query parameters of the list, checked."""

from collections.abc import Iterable
from typing import Any, cast

from django.conf import settings
from django.db.models import Q
from django.db.models.functions import Lower
from django.http import QueryDict
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from accounts.models import Project
from core.query_fields import Moment, OneOf, SearchedText, Several, Text, Words
from instances.domain.enums import BillingMode, InstanceStatus
from instances.domain.tags import (
    KEY,
    LONGEST_VALUE,
    MOST_TAGS,
    VALUE_PATTERN,
    key_fault,
    stored_forms,
    value_fault,
)
from instances.models import Instance
from instances.models.instance import InstanceQuerySet

# What ``sort`` may say, and the column behind it; the first one is the default.
SORTS = {
    "-createdAt": "-created_at",
    "createdAt": "created_at",
    "name": "name",
    "-name": "-name",
    "pricePerHourUsd": "hourly_price",
    "-pricePerHourUsd": "-hourly_price",
}


class StatusWords(Words):
    """Instance statuses."""

    def known(self) -> Iterable[str]:
        return map(str, InstanceStatus.values)


@extend_schema_field({"type": "string", "pattern": f"^{KEY.pattern}(:{VALUE_PATTERN})?$"})
class TagFilter(Text):
    """``key`` or ``key:value``; a key holds no colon, so the first one ends it."""

    def to_internal_value(self, data: Any) -> Any:
        key, colon, value = super().to_internal_value(data).partition(":")
        if fault := key_fault(key) or value_fault(value):
            raise serializers.ValidationError(fault)
        return key, value if colon else None


class RegionWord(Text):
    """A region that there is, or was: any other word would find nothing, as if that were so."""

    def check(self, project: Project, code: str) -> None:
        known = settings.CONFIG.regions
        if code not in known and not Instance.objects.of(project).filter(region=code).exists():
            raise serializers.ValidationError({"region": [f"must be one of: {', '.join(known)}"]})


class InstanceFilter(serializers.Serializer[Any]):
    """The parameters; each narrows the list further."""

    status = StatusWords(
        required=False, help_text="one or several statuses, separated by commas: starting,running"
    )
    region = RegionWord(
        required=False,
        max_length=100,
        help_text="a region's code; one that is configured no more, while instances are there",
    )
    product = SearchedText(
        required=False,
        help_text="a product's name as it was asked for, in whatever case, or the id of the one "
        "that was chosen",
    )
    name = SearchedText(required=False, help_text="what the name begins with, in whatever case")
    billingMode = OneOf(BillingMode.choices, required=False, help_text="only those asked for so")
    tag = Several(
        child=TagFilter(max_length=64 + LONGEST_VALUE, trim_whitespace=False),
        required=False,
        max_length=MOST_TAGS,
        help_text="key:value or key alone; given more than once, all must be there",
    )
    createdAfter = Moment(required=False, help_text="made at this time or later, ISO 8601")
    createdBefore = Moment(required=False, help_text="made before this time, ISO 8601")

    def apply(self, project: Project) -> InstanceQuerySet:
        """The project's instances that all the parameters name; ``is_valid`` was called. Raises
        ValidationError for a region that there never was.
        """
        given = self.validated_data
        if "region" in given:
            cast(RegionWord, self.fields["region"]).check(project, given["region"])
        columns = {
            "status": "status__in",
            "region": "region",
            "billingMode": "billing_mode",
            "createdAfter": "created_at__gte",
            "createdBefore": "created_at__lt",
        }
        found = Instance.objects.of(project).filter(
            **{column: given[name] for name, column in columns.items() if name in given}
        )
        if "product" in given:
            found = found.alias(lower_product=Lower("product_name")).filter(
                Q(lower_product=given["product"].lower()) | Q(product_id=given["product"])
            )
        if "name" in given:
            found = found.named_from(given["name"])
        for key, value in given.get("tag", ()):
            found = found.tagged(project, key, *(stored_forms(value) if value is not None else ()))
        return found


def asked_for(parameters: QueryDict) -> InstanceFilter:
    """The filter that these name. Raises ValidationError."""
    data: dict[str, Any] = parameters.dict()
    if "tag" in parameters:
        data["tag"] = parameters.getlist("tag")
    asked = InstanceFilter(data=data)
    asked.is_valid(raise_exception=True)
    return asked
