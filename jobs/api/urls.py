"""URL paths of jobs; without trailing slashes."""

from django.urls import path

from jobs.api.views import JobStatsView, JobViewSet

urlpatterns = [
    path("jobs", JobViewSet.as_view({"get": "list"}), name="jobs"),
    # Before the ids; no id is "stats".
    path("jobs/stats", JobStatsView.as_view(), name="job-stats"),
    path("jobs/<str:id>", JobViewSet.as_view({"get": "retrieve"}), name="job"),
    path("jobs/<str:id>/retry", JobViewSet.as_view({"post": "retry"}), name="job-retry"),
    path("jobs/<str:id>/cancel", JobViewSet.as_view({"post": "cancel"}), name="job-cancel"),
]
