"""Addresses of webhooks; no trailing slashes."""

from django.urls import path

from webhooks.api.deliveries import (
    DeliveryViewSet,
    EndpointDeliveriesView,
    InstanceDeliveriesView,
)
from webhooks.api.endpoints import EndpointViewSet, RotateSigningSecretView, SigningSecretView
from webhooks.api.events import EventsView
from webhooks.api.replays import ReplayViewSet

urlpatterns = [
    path(
        "webhooks",
        EndpointViewSet.as_view({"get": "list", "post": "create"}),
        name="webhooks",
    ),
    # Before the ids: none of them is "signing-secret".
    path("webhooks/signing-secret", SigningSecretView.as_view(), name="webhook-signing-secret"),
    path(
        "webhooks/signing-secret/rotate",
        RotateSigningSecretView.as_view(),
        name="webhook-signing-secret-rotate",
    ),
    path(
        "webhooks/<str:id>",
        EndpointViewSet.as_view(
            {"get": "retrieve", "patch": "partial_update", "delete": "destroy"}
        ),
        name="webhook",
    ),
    *(
        path(
            f"webhooks/<str:id>/{verb}",
            EndpointViewSet.as_view({"post": verb.replace("-", "_")}),
            name=f"webhook-{verb}",
        )
        for verb in ("rotate-secret", "test", "deliver-now")
    ),
    path(
        "webhooks/<str:id>/stats", EndpointViewSet.as_view({"get": "stats"}), name="webhook-stats"
    ),
    path(
        "webhooks/<str:id>/deliveries", EndpointDeliveriesView.as_view(), name="webhook-deliveries"
    ),
    path(
        "webhooks/<str:id>/replay", ReplayViewSet.as_view({"post": "start"}), name="webhook-replay"
    ),
    path(
        "instances/<str:id>/deliveries",
        InstanceDeliveriesView.as_view(),
        name="instance-deliveries",
    ),
    path("deliveries/<str:id>", DeliveryViewSet.as_view({"get": "retrieve"}), name="delivery"),
    *(
        path(
            f"deliveries/<str:id>/{verb}",
            DeliveryViewSet.as_view({"post": verb}),
            name=f"delivery-{verb}",
        )
        for verb in ("redeliver", "cancel")
    ),
    path("replays", ReplayViewSet.as_view({"get": "list"}), name="replays"),
    path("replays/<str:id>", ReplayViewSet.as_view({"get": "retrieve"}), name="replay"),
    path(
        "replays/<str:id>/cancel", ReplayViewSet.as_view({"post": "cancel"}), name="replay-cancel"
    ),
    path("events", EventsView.as_view(), name="events"),
]
