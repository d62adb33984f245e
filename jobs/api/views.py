"""Jobs, to look at."""

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import NotAuthenticated, NotFound
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from accounts.authentication import Caller
from jobs.api import schemas
from jobs.api.details import job_details
from jobs.models import Job


class JobViewSet(GenericViewSet[Job]):
    """Jobs of the caller's project; the service's own recurring work belongs to nobody."""

    queryset = Job.objects.all()
    results_name = "jobs"
    page_order = "-id"
    query_parameters = ("instance",)

    @extend_schema(**schemas.LIST)
    def list(self, request: Request) -> Response:
        jobs = self._own(request)
        if (subject := request.query_params.get("instance")) is not None:
            # Postgres cannot be asked for NUL; no subject contains it.
            jobs = jobs.filter(subject=subject) if "\0" not in subject else jobs.none()
        page = self.paginate_queryset(jobs)
        return self.get_paginated_response([job_details(job) for job in page or []])

    @extend_schema(**schemas.RETRIEVE)
    def retrieve(self, request: Request, id: str) -> Response:  # noqa: A002 - the path's own word
        job = self._own(request).filter(public_id=id).first() if "\0" not in id else None
        if job is None:
            raise NotFound(f"There is no job {id[:60]}.", code="JOB_NOT_FOUND")
        return Response(job_details(job))

    def _own(self, request: Request) -> QuerySet[Job]:
        caller = request.user
        if not isinstance(caller, Caller):
            raise NotAuthenticated
        # The error history is long and goes nowhere.
        return self.get_queryset().filter(project=caller.project).defer("errors")
