"""What the OpenAPI document says of the catalogue and the plan."""

from typing import Any

from django.conf import settings
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse

from instances.api import catalogue_answers as answers
from instances.api.serializers import CreateInstance
from instances.domain.enums import BillingMode

TAG = ["Catalogue"]
_CACHED = "From what the workers listed last, with its age; Novita is not asked."
_AGE = {"asOf": "2023-12-01T10:29:48.000Z", "ageSeconds": 12}
_PRODUCT = {
    "id": "prod-a100-usca6",
    "name": "A100-SXM4-40GB",
    "region": "US-WEST-01",
    "billingModes": ["spot", "onDemand"],
    "available": {"spot": True, "onDemand": True},
    "stock": {"spot": "normal", "onDemand": "normal"},
    "minRootfsSize": 10,
    "maxRootfsSize": 1000,
    "cpuPerGpu": 16,
    "memoryPerGpu": 96,
    "spotPricePerGpuHourUsd": "0.35",
    "onDemandPricePerGpuHourUsd": "0.70",
}
_TEMPLATE = {
    "id": "107672",
    "name": "PyTorch",
    "ports": [{"port": 8888, "type": "http"}],
    "channel": "official",
    "type": "instance",
    "image": "docker.io/library/pytorch:2",
    "rootfsSize": 60,
    "minCudaVersion": "12.4",
}
_REGION = {
    "code": "US-WEST-01",
    "isDefault": False,
    "isListed": True,
    "cluster": {"id": "us-ca-6", "name": "US-CA-06 (California)"},
}
_OFFER = {
    "productId": "prod-a100-usca6",
    "productName": "A100-SXM4-40GB",
    "pricePerGpuHourUsd": "0.35",
    "pricePerHourUsd": "0.70",
}
_REQUEST = {
    "name": "my-gpu-instance",
    "productName": "A100-SXM4-40GB",
    "templateId": "tf-training-template-1",
    "gpuNum": 2,
    "region": "US-WEST-01",
}
_PLAN = {
    "wouldBeAccepted": True,
    "wouldBePlaced": True,
    "templateChecked": True,
    "reasons": [],
    "warnings": [],
    "rootfsSize": 100,
    "chosen": _OFFER,
    "offers": [_OFFER],
    "rejected": [{"productId": "prod-a100-usca7", "code": "SOLD_OUT", "reason": "sold out"}],
    "estimatedReadyTime": "2023-12-01T10:35:00.000Z",
    **_AGE,
}


def _parameter(name: str, description: str, values: list[str] | None = None) -> OpenApiParameter:
    text = {"pattern": r"^[^\u0000]*[^\s\u0000][^\u0000]*$", "maxLength": 100}
    schema = {"type": "string", **({"enum": values} if values else text)}
    return OpenApiParameter(name, schema, description=description)


def _listing(name: str, plural: str, schema: Any, row: dict[str, Any]) -> dict[str, Any]:
    answer = {plural: [row], "total": 1, **_AGE}
    return {
        "operation_id": f"list{plural.capitalize()}",
        "summary": name,
        "description": _CACHED,
        "tags": TAG,
        "responses": {
            200: schema,
            400: OpenApiResponse(description="A parameter that there is not, or a wrong value."),
        },
        "examples": [OpenApiExample("Cached", answer, response_only=True, status_codes=["200"])],
    }


PRODUCTS = _listing("List products by price", "products", answers.ProductList, _PRODUCT) | {
    "parameters": [
        _parameter(
            "region", "a region's code; without one, all regions", list(settings.CONFIG.regions)
        ),
        _parameter("name", "a product's name, in whatever case"),
        _parameter("billingMode", "offered so, and the price to sort by", list(BillingMode.values)),
        _parameter("available", "whether one can be had now", ["true", "false"]),
        _parameter("sort", "by the price of a GPU; - for the dearest first", ["price", "-price"]),
    ]
}
TEMPLATES = _listing(
    "List private and official templates", "templates", answers.TemplateList, _TEMPLATE
)
REGIONS = _listing("List regions", "regions", answers.RegionList, _REGION)
PLAN: dict[str, Any] = {
    "operation_id": "planInstance",
    "summary": "What a request would come to",
    "description": "Takes the body of createInstance, and makes nothing: the offers as placement "
    f"would rank them, why others do not fit, and the project's limits. {_CACHED} Only for a "
    "template that nobody has used for a minute do the workers ask, for two seconds at most: "
    "whether it exists, has its registry credentials and publishes the port to be probed. Needs "
    "the scope `read` only.",
    "tags": TAG,
    "request": CreateInstance,
    "responses": {200: answers.InstancePlan},
    "examples": [
        OpenApiExample("A request", _REQUEST, request_only=True),
        OpenApiExample("It fits", _PLAN, response_only=True, status_codes=["200"]),
    ],
}
