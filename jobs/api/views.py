"""API views of jobs: list, read, retry, cancel, statistics."""

from collections.abc import Callable

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import APIException, NotFound
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework.viewsets import GenericViewSet

from accounts.rest.authentication import caller_of
from accounts.rest.idempotency import idempotent
from accounts.rest.permissions import project_to_show
from core.clock import database_now
from jobs import control
from jobs.api import documentation
from jobs.api.answers import JobDetails, JobList, SingleJobDetails
from jobs.api.filters import JobFilter
from jobs.api.stats import JobStats
from jobs.errors import JobError
from jobs.models import Job


class JobRefused(APIException):
    """409: the job's state does not allow the action; the code is that of the JobError."""

    status_code = 409

    def __init__(self, error: JobError) -> None:
        super().__init__(str(error), code=error.code)


class JobViewSet(GenericViewSet[Job]):
    """Jobs of the caller's project; recurring jobs of the service belong to no project."""

    queryset = Job.objects.all()
    page = JobList
    page_order = "-id"
    query_parameters = tuple(JobFilter().fields)

    @extend_schema(**documentation.LIST)
    def list(self, request: Request) -> Response:
        asked = JobFilter(data=request.query_params.dict())
        asked.is_valid(raise_exception=True)
        # Lists do not show the error history, so it is not loaded.
        jobs = asked.apply(self._own(request).defer("errors"))
        page = self.paginate_queryset(jobs)
        return self.get_paginated_response([JobDetails.of(job) for job in page or []])

    @extend_schema(**documentation.RETRIEVE)
    def retrieve(self, request: Request, id: str) -> Response:  # noqa: A002 - the path's own word
        return Response(SingleJobDetails.of(self._find(request, id)).as_json())

    @extend_schema(**documentation.RETRY)
    @idempotent
    def retry(self, request: Request, id: str) -> Response:  # noqa: A002 - see above
        return self._act(control.redrive, request, id)

    @extend_schema(**documentation.CANCEL)
    @idempotent
    def cancel(self, request: Request, id: str) -> Response:  # noqa: A002 - see above
        return self._act(control.cancel, request, id)

    def _act(self, verb: Callable[..., Job], request: Request, public_id: str) -> Response:
        """Run the action; a request body is ignored."""
        job = self._find(request, public_id)
        try:
            changed = verb(job, actor=caller_of(request).actor)
        except JobError as error:
            raise JobRefused(error) from None
        except Job.DoesNotExist:
            raise _not_found(public_id) from None
        return Response(SingleJobDetails.of(changed).as_json())

    def _find(self, request: Request, public_id: str) -> Job:
        # Postgres cannot store NUL, so a query with it would fail.
        found = None
        if "\0" not in public_id:
            found = self._own(request).filter(public_id=public_id).first()
        if found is None:
            raise _not_found(public_id)
        return found

    def _own(self, request: Request) -> QuerySet[Job]:
        return self.get_queryset().filter(project=caller_of(request).project)


class JobStatsView(APIView):
    """State of the queue."""

    @extend_schema(**documentation.STATS)
    def get(self, request: Request) -> Response:
        of_all = project_to_show(request) is None
        stats = JobStats.of(caller_of(request).project, now=database_now(), of_all=of_all)
        return Response(stats.as_json())


def _not_found(public_id: str) -> NotFound:
    return NotFound(f"There is no job {public_id[:60]}.", code="JOB_NOT_FOUND")
