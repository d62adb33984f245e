"""Addresses of instances; no trailing slashes."""

from django.urls import path

from instances.api.views import InstanceEventsView, InstanceViewSet

urlpatterns = [
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
    path("instances/<str:id>/events", InstanceEventsView.as_view(), name="instance-events"),
]
