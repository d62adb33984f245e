"""Addresses of instances; no trailing slashes."""

from django.urls import path

from instances.api.credentials import CredentialsView
from instances.api.views import InstanceEventsView, InstanceViewSet
from instances.api.waiting import EventStreamView, WaitView

urlpatterns = [
    path(
        "instances",
        InstanceViewSet.as_view({"get": "list", "post": "create"}),
        name="instances",
    ),
    path(
        "instances/<str:id>",
        InstanceViewSet.as_view({"get": "retrieve", "delete": "destroy"}),
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
]
