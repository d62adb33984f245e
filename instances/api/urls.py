"""Addresses of instances; no trailing slashes."""

from django.urls import path

from instances.api.views import InstanceEventsView, InstanceViewSet

urlpatterns = [
    path(
        "instances",
        InstanceViewSet.as_view({"get": "list", "post": "create"}),
        name="instances",
    ),
    path("instances/<str:id>", InstanceViewSet.as_view({"get": "retrieve"}), name="instance"),
    path("instances/<str:id>/events", InstanceEventsView.as_view(), name="instance-events"),
]
