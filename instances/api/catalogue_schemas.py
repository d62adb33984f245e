"""What the catalogue and the plan answer, for the OpenAPI document."""

from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from instances.api.schema_fields import MomentField, Object, UsdField
from instances.domain.enums import BillingMode, RejectionCode

OLDEST = "when the oldest of the lists behind this was read from Novita; absent before the first"


class Aged(Object):
    """How old the cached answer is."""

    asOf = MomentField(required=False, help_text=OLDEST)
    ageSeconds = serializers.IntegerField(required=False, min_value=0)


class ByMode(Object):
    """By billing mode."""

    spot = serializers.BooleanField()
    onDemand = serializers.BooleanField()


class StockByMode(Object):
    """Novita's own word for what is left, by billing mode."""

    spot = serializers.CharField(required=False)
    onDemand = serializers.CharField(required=False)


class ListedProduct(Object):
    """A product in a region."""

    id = serializers.CharField()
    name = serializers.CharField()
    region = serializers.CharField()
    billingModes = serializers.ListField(child=serializers.ChoiceField(BillingMode.choices))
    available = ByMode()
    stock = StockByMode(required=False)
    spotPricePerGpuHourUsd = UsdField(required=False)
    onDemandPricePerGpuHourUsd = UsdField(required=False)
    minRootfsSize = serializers.IntegerField(help_text="GB")
    maxRootfsSize = serializers.IntegerField(required=False, help_text="GB; absent: no limit told")
    cpuPerGpu = serializers.IntegerField()
    memoryPerGpu = serializers.IntegerField(help_text="GB")


@extend_schema_serializer(many=False)
class ProductList(Aged):
    """All that is sold, by price."""

    products = ListedProduct(many=True)
    total = serializers.IntegerField()


class TemplatePort(Object):
    """A port that the template opens."""

    port = serializers.IntegerField()
    type = serializers.CharField()


class ListedTemplate(Object):
    """A template of the account or of Novita."""

    id = serializers.CharField()
    name = serializers.CharField()
    channel = serializers.CharField(required=False, help_text="private or official")
    type = serializers.CharField(required=False)
    image = serializers.CharField(required=False)
    rootfsSize = serializers.IntegerField(required=False, help_text="GB")
    ports = TemplatePort(many=True)
    minCudaVersion = serializers.CharField(required=False)


@extend_schema_serializer(many=False)
class TemplateList(Aged):
    """Private and official ones, by name."""

    templates = ListedTemplate(many=True)
    total = serializers.IntegerField()


class RegionCluster(Object):
    """Novita's name for the place."""

    id = serializers.CharField()
    name = serializers.CharField()


class ListedRegion(Object):
    """A code that requests may name."""

    code = serializers.CharField()
    isDefault = serializers.BooleanField(help_text="of requests that name none")
    isListed = serializers.BooleanField(help_text="whether Novita lists a cluster for it")
    cluster = RegionCluster(required=False)


@extend_schema_serializer(many=False)
class RegionList(Aged):
    """In the order of the configuration."""

    regions = ListedRegion(many=True)
    total = serializers.IntegerField()


class PlannedOffer(Object):
    """An offer that fits, at its price in the wished billing mode."""

    productId = serializers.CharField()
    productName = serializers.CharField()
    pricePerGpuHourUsd = UsdField()
    pricePerHourUsd = UsdField(help_text="all GPUs together")


class RejectedOffer(Object):
    """One of that name that does not fit, and why."""

    productId = serializers.CharField()
    code = serializers.ChoiceField(RejectionCode.choices)
    reason = serializers.CharField()


class PlanReason(Object):
    """What would keep the request from being accepted or placed, or is worth knowing."""

    code = serializers.CharField()
    message = serializers.CharField()
    field = serializers.CharField(required=False)


class InstancePlan(Aged):
    """What the request would come to at this moment."""

    wouldBeAccepted = serializers.BooleanField(help_text="within the project's limits")
    wouldBePlaced = serializers.BooleanField(
        help_text="some offer fits, by the cached prices, and no reason is known against it"
    )
    templateChecked = serializers.BooleanField(
        help_text="false: Novita could not be asked for the template at this moment"
    )
    reasons = PlanReason(many=True)
    warnings = PlanReason(many=True, help_text="they keep the request from nothing")
    rootfsSize = serializers.IntegerField(
        help_text="GB; without one in the request 60, or what the template asks for if that is more"
    )
    chosen = PlannedOffer(required=False)
    offers = PlannedOffer(many=True, help_text="best first")
    rejected = RejectedOffer(many=True)
    maxPricePerHourUsd = UsdField(required=False, help_text="with the project's default")
    maxRuntimeMinutes = serializers.IntegerField(
        required=False, help_text="with the project's default"
    )
    estimatedReadyTime = MomentField()
