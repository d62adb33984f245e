"""Addresses of jobs; no trailing slashes."""

from django.urls import path

from jobs.api.views import JobViewSet

urlpatterns = [
    path("jobs", JobViewSet.as_view({"get": "list"}), name="jobs"),
    path("jobs/<str:id>", JobViewSet.as_view({"get": "retrieve"}), name="job"),
]
