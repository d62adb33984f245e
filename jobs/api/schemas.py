"""What the API answers about jobs, for the OpenAPI document; a test keeps it equal to the facts."""

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema_field, extend_schema_serializer
from rest_framework import serializers

from jobs.models import JobPriority, JobStatus

Object = serializers.Serializer[Any]


@extend_schema_field({"type": "string", "format": "date-time"})
class MomentField(serializers.CharField):
    """ISO 8601 in UTC with milliseconds."""


class JobDetails(Object):
    """A piece of work, as its row stands."""

    id = serializers.CharField()
    type = serializers.CharField(help_text="create_instance, monitor_instance, send_webhook, …")
    payload = serializers.DictField()
    status = serializers.ChoiceField(JobStatus.choices)
    priority = serializers.ChoiceField(JobPriority.choices)
    attempts = serializers.IntegerField()
    maxAttempts = serializers.IntegerField()
    createdAt = MomentField()
    processedAt = MomentField(required=False, help_text="when work last started")
    completedAt = MomentField(required=False)
    nextRetryAt = MomentField(required=False)
    error = serializers.CharField(required=False)
    subject = serializers.CharField(required=False, help_text="what it is about: an instance's id")
    requestId = serializers.CharField(required=False)


@extend_schema_serializer(many=False)
class JobList(Object):
    """A page of jobs, newest first."""

    jobs = JobDetails(many=True)
    total = serializers.IntegerField(help_text="exact up to 10,000")
    totalIsCapped = serializers.BooleanField(required=False)
    nextCursor = serializers.CharField(required=False)


TAG = ["Jobs"]
LIST: dict[str, Any] = {
    "operation_id": "listJobs",
    "summary": "List jobs, newest first",
    "tags": TAG,
    "parameters": [
        OpenApiParameter("instance", str, description="only those about this instance"),
        OpenApiParameter("limit", int, description="rows per page, 1 to 100 (default 20)"),
        OpenApiParameter("cursor", str, description="nextCursor of the page before"),
    ],
    "responses": {200: JobList},
}
RETRIEVE: dict[str, Any] = {
    "operation_id": "getJob",
    "summary": "Get a job",
    "tags": TAG,
    "parameters": [OpenApiParameter("id", str, OpenApiParameter.PATH, description="job_…")],
    "responses": {200: JobDetails},
}
