"""Addresses of instances; no trailing slashes."""

from django.urls import path

from instances.api.catalogue import ProductsView, RegionsView, TemplatesView
from instances.api.credentials import CredentialsView
from instances.api.planning import PlanView
from instances.api.views import InstanceEventsView, InstanceViewSet
from instances.api.waiting import EventStreamView, WaitView

urlpatterns = [
    # Before the instance of that id, which no instance has.
    path("instances/plan", PlanView.as_view(), name="instance-plan"),
    path(
        "instances",
        InstanceViewSet.as_view({"get": "list", "post": "create"}),
        name="instances",
    ),
    path(
        "instances/<str:id>",
        InstanceViewSet.as_view(
            {"get": "retrieve", "patch": "partial_update", "delete": "destroy"}
        ),
        name="instance",
    ),
    *(
        path(
            f"instances/<str:id>/{verb}",
            InstanceViewSet.as_view({"post": verb}),
            name=f"instance-{verb}",
        )
        for verb in ("start", "stop", "restart")
    ),
    path("instances/<str:id>/credentials", CredentialsView.as_view(), name="instance-credentials"),
    path("instances/<str:id>/wait", WaitView.as_view(), name="instance-wait"),
    path("events/stream", EventStreamView.as_view(), name="event-stream"),
    path("instances/<str:id>/events", InstanceEventsView.as_view(), name="instance-events"),
    path("products", ProductsView.as_view(), name="products"),
    path("templates", TemplatesView.as_view(), name="templates"),
    path("regions", RegionsView.as_view(), name="regions"),
]
