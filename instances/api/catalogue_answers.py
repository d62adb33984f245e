"""What the catalogue and the plan answer."""

from datetime import datetime
from typing import Annotated, Self

from django.conf import settings
from pydantic import Field

from core.answers import Answer, OneOf
from instances.catalogue import browse
from instances.catalogue.browse import RegionalProduct
from instances.catalogue.placement import Offer, Rejection
from instances.domain.enums import BillingMode, RejectionCode
from instances.lifecycle.representation import Moment, Usd
from instances.models import ListedTemplate as TemplateRow
from instances.services import Objection, Plan

AsOf = Annotated[
    Moment | None,
    Field(
        description="when the oldest of the lists behind this was read from Novita; absent before "
        "the first"
    ),
]
Age = Annotated[int | None, Field(ge=0)]


def age(as_of: datetime | None, now: datetime) -> int | None:
    """In whole seconds; None before the first listing."""
    return None if as_of is None else max(int((now - as_of).total_seconds()), 0)


class ByMode(Answer):
    """By billing mode."""

    spot: bool
    onDemand: bool


class StockByMode(Answer):
    """Novita's own word for what is left, by billing mode."""

    spot: str | None = None
    onDemand: str | None = None


class ListedProduct(Answer):
    """A product in a region."""

    id: str
    name: str
    region: str
    billingModes: list[Annotated[str, OneOf(BillingMode)]]
    available: ByMode
    minRootfsSize: int = Field(description="GB")
    cpuPerGpu: int
    memoryPerGpu: int = Field(description="GB")
    stock: StockByMode | None = None
    maxRootfsSize: int | None = Field(None, description="GB; absent: no limit told")
    spotPricePerGpuHourUsd: Usd | None = None
    onDemandPricePerGpuHourUsd: Usd | None = None

    @classmethod
    def of(cls, regional: RegionalProduct) -> Self:
        product = regional.product
        prices = {mode.value: regional.price_e5_usd(mode) for mode in BillingMode}
        available = {mode.value: regional.is_available(mode) for mode in BillingMode}
        stock = {mode: each.inventory_state or None for mode, each in regional.listed.items()}
        return cls(
            id=product.id,
            name=product.name,
            region=regional.region,
            billingModes=[mode for mode, price in prices.items() if price is not None],
            available=ByMode(**available),
            minRootfsSize=product.min_rootfs_gb,
            cpuPerGpu=product.cpu_per_gpu,
            memoryPerGpu=product.memory_per_gpu_gb,
            stock=StockByMode(**stock) if any(stock.values()) else None,
            maxRootfsSize=product.max_rootfs_gb,
            spotPricePerGpuHourUsd=prices[BillingMode.SPOT],
            onDemandPricePerGpuHourUsd=prices[BillingMode.ON_DEMAND],
        )


class ProductList(Answer):
    """All that is sold, by price."""

    products: list[ListedProduct]
    total: int
    asOf: AsOf = None
    ageSeconds: Age = None


class TemplatePort(Answer):
    """A port that the template opens."""

    port: int
    type: str


class ListedTemplate(Answer):
    """A template of the account or of Novita."""

    id: str
    name: str
    ports: list[TemplatePort]
    channel: str | None = Field(None, description="private or official")
    type: str | None = None
    image: str | None = None
    rootfsSize: int | None = Field(None, description="GB")
    minCudaVersion: str | None = None

    @classmethod
    def of(cls, template: TemplateRow) -> Self:
        """Without env values and commands, which may hold secrets."""
        return cls(
            id=template.template_id,
            name=template.name,
            ports=template.ports,
            channel=template.channel or None,
            type=template.type or None,
            image=template.image or None,
            rootfsSize=template.rootfs_size_gb or None,
            minCudaVersion=template.min_cuda_version or None,
        )


class TemplateList(Answer):
    """Private and official ones, by name."""

    templates: list[ListedTemplate]
    total: int
    asOf: AsOf = None
    ageSeconds: Age = None


class RegionCluster(Answer):
    """Novita's name for the place."""

    id: str
    name: str


class ListedRegion(Answer):
    """A code that requests may name."""

    code: str
    isDefault: bool = Field(description="of requests that name none")
    isListed: bool = Field(description="whether Novita lists a cluster for it")
    cluster: RegionCluster | None = None

    @classmethod
    def of(cls, region: browse.Region) -> Self:
        cluster = region.cluster
        return cls(
            code=region.code,
            isDefault=region.code == settings.CONFIG.default_region,
            isListed=cluster is not None,
            cluster=RegionCluster(id=cluster.id, name=cluster.name) if cluster else None,
        )


class RegionList(Answer):
    """In the order of the configuration."""

    regions: list[ListedRegion]
    total: int
    asOf: AsOf = None
    ageSeconds: Age = None


class PlannedOffer(Answer):
    """An offer that fits, at its price in the requested billing mode."""

    productId: str
    productName: str
    pricePerGpuHourUsd: Usd
    pricePerHourUsd: Usd = Field(description="all GPUs together")

    @classmethod
    def of(cls, offer: Offer, gpu_num: int) -> Self:
        return cls(
            productId=offer.product_id,
            productName=offer.product_name,
            pricePerGpuHourUsd=offer.price_e5_usd,
            pricePerHourUsd=offer.price_e5_usd * gpu_num,
        )


class RejectedOffer(Answer):
    """One of that name that does not fit, and why."""

    productId: str
    code: Annotated[str, OneOf(RejectionCode)]
    reason: str

    @classmethod
    def of(cls, rejection: Rejection) -> Self:
        return cls(
            productId=rejection.product_id, code=rejection.code.value, reason=rejection.reason
        )


class PlanReason(Answer):
    """What would keep the request from being accepted or placed, or is worth knowing."""

    code: str
    message: str
    field: str | None = None

    @classmethod
    def of(cls, objection: Objection) -> Self:
        return cls(code=objection.code, message=objection.message, field=objection.field or None)


class InstancePlan(Answer):
    """What the request would come to at this moment."""

    wouldBeAccepted: bool = Field(description="within the project's limits")
    wouldBePlaced: bool = Field(
        description="some offer fits, by the cached prices, and no reason is known against it"
    )
    templateChecked: bool = Field(
        description="false: Novita could not be asked for the template at this moment"
    )
    reasons: list[PlanReason]
    warnings: list[PlanReason] = Field(description="they keep the request from nothing")
    rootfsSize: int = Field(
        description="GB; without one in the request 60, or what the template asks for if that is "
        "more"
    )
    offers: list[PlannedOffer] = Field(description="best first")
    rejected: list[RejectedOffer]
    estimatedReadyTime: Moment
    maxPricePerHourUsd: Usd | None = Field(None, description="with the project's default")
    maxRuntimeMinutes: int | None = Field(None, description="with the project's default")
    asOf: AsOf = None
    ageSeconds: Age = None
    chosen: PlannedOffer | None = None

    @classmethod
    def of(cls, plan: Plan) -> Self:
        spec = plan.spec
        offers = [PlannedOffer.of(offer, spec.gpu_num) for offer in plan.ranking.offers]
        return cls(
            wouldBeAccepted=not plan.refusals,
            wouldBePlaced=plan.is_placeable,
            templateChecked=plan.is_template_checked,
            reasons=[PlanReason.of(each) for each in (*plan.refusals, *plan.obstacles)],
            warnings=[PlanReason.of(each) for each in plan.warnings],
            rootfsSize=spec.rootfs_size_gb,
            offers=offers,
            rejected=[RejectedOffer.of(each) for each in plan.ranking.rejections],
            estimatedReadyTime=plan.estimated_ready_at,
            maxPricePerHourUsd=spec.max_price_per_hour_e5_usd,
            maxRuntimeMinutes=spec.max_runtime_minutes,
            asOf=plan.prices_as_of,
            ageSeconds=age(plan.prices_as_of, plan.now),
            chosen=offers[0] if plan.is_placeable else None,
        )
