"""Addresses of keys; no trailing slashes."""

from django.urls import path

from accounts.api.views import ApiKeyViewSet

urlpatterns = [
    path("keys", ApiKeyViewSet.as_view({"get": "list"}), name="keys"),
    # Before the ids: none of them is "current".
    path("keys/current", ApiKeyViewSet.as_view({"get": "current"}), name="key-current"),
    path("keys/<str:id>", ApiKeyViewSet.as_view({"delete": "destroy"}), name="key"),
]
