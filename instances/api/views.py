"""The HTTP side of instances: translates, decides nothing."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from django.db.models import QuerySet
from django.http import QueryDict
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import (
    APIException,
    NotFound,
    ValidationError,
)
from rest_framework.generics import GenericAPIView
from rest_framework.parsers import BaseParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from accounts.models import Project
from accounts.rest.authentication import Caller, caller_of
from accounts.rest.idempotency import idempotent
from core.clock import ClockTimestamp, database_now
from core.prepared import AllOf, Prepared
from core.request_bodies import refuse_body
from instances import services
from instances.api import documentation
from instances.api.answers import AcceptedVerb, CreatedInstance, EventList, InstanceList
from instances.api.filters import SORTS, InstanceFilter, asked_for
from instances.api.parsers import MergePatchParser
from instances.api.preconditions import etag_of, is_unchanged, is_wanted, wanted_versions
from instances.api.serializers import CreateInstance, UpdateInstance
from instances.api.waiting_filters import TimelineQuery, read_query
from instances.domain.errors import InstanceError, RequestRejected, VersionMismatch
from instances.domain.types import Cause, VersionPrecondition
from instances.lifecycle.representation import COLUMNS, Event, InstanceDetails
from instances.models import Instance, InstanceEvent
from instances.models.instance import InstanceQuerySet


class InstanceViewSet(GenericViewSet[Instance]):
    """Instances of the caller's project; those of others do not exist here."""

    queryset = Instance.objects.all()
    serializer_class = CreateInstance
    lookup_field = "public_id"
    lookup_url_kwarg = "id"
    # Anything goes in, so that every wrong id is answered as a wrong id.
    lookup_value_regex = "[^/]+"
    page = InstanceList
    page_columns = COLUMNS
    page_sorts = SORTS
    query_parameters = tuple(InstanceFilter().fields)
    repeatable = ("tag",)

    def get_parsers(self) -> list[BaseParser]:
        """Only a patch may come as one."""
        parsers = super().get_parsers()
        is_patch = getattr(self.request, "method", "") == "PATCH"
        return [*parsers, MergePatchParser()] if is_patch else parsers

    def get_queryset(self) -> QuerySet[Instance]:
        return Instance.objects.of(caller_of(self.request).project)

    @extend_schema(**documentation.CREATE)
    @idempotent
    def create(self, request: Request) -> Response:
        caller = caller_of(request)
        spec = CreateInstance.spec(request.data)
        with translated_errors():
            created = services.create_instance(
                project=caller.project,
                spec=spec,
                cause=_cause_of(request),
                now=caller.database_now(),
            )
        # As it was written: nothing is asked of the database for it.
        headers = {**_location(created.instance), "ETag": etag_of(created.instance)}
        return Response(CreatedInstance.of(created).as_json(), status=201, headers=headers)

    @extend_schema(**documentation.LIST)
    def list(self, request: Request) -> Response:
        caller = caller_of(request)
        page = self.paginate_queryset(_asked_for(request.query_params, caller.project))
        now = caller.database_now()
        return self.get_paginated_response([InstanceDetails.of(row, now=now) for row in page or []])

    @extend_schema(**documentation.RETRIEVE)
    def retrieve(self, request: Request, id: str) -> Response:  # noqa: A002 - the path's own word
        instance = find_instance(caller_of(request), id)
        headers = {"ETag": etag_of(instance)}
        if not is_wanted(request, instance):
            message = f"Instance {instance.public_id} is not what If-Match names."
            raise PreconditionFailed(message, code=VersionMismatch.code)
        if is_unchanged(request, instance):
            return Response(status=304, headers=headers)
        details = InstanceDetails.of(instance, now=vars(instance)["read_at"])
        return Response(details.as_json(), headers=headers)

    @extend_schema(**documentation.UPDATE)
    def partial_update(self, request: Request, id: str) -> Response:  # noqa: A002 - see above
        found = find_instance(caller_of(request), id)
        versions = wanted_versions(request)
        changes = UpdateInstance.changes(request.data)
        with translated_errors():
            instance = services.update_instance(
                public_id=found.public_id,
                changes=changes,
                cause=_cause_of(request),
                versions=versions,
            )
        details = InstanceDetails.of(instance, now=database_now())
        return Response(details.as_json(), headers={"ETag": etag_of(instance)})

    @extend_schema(**documentation.TERMINATE)
    def destroy(self, request: Request, id: str) -> Response:  # noqa: A002 - the path's own word
        return self._act(request, id, services.terminate_instance)

    @extend_schema(**documentation.START)
    @idempotent
    def start(self, request: Request, id: str) -> Response:  # noqa: A002 - the path's own word
        return self._act(request, id, services.start_instance)

    @extend_schema(**documentation.STOP)
    @idempotent
    def stop(self, request: Request, id: str) -> Response:  # noqa: A002 - the path's own word
        return self._act(request, id, services.stop_instance)

    @extend_schema(**documentation.RESTART)
    @idempotent
    def restart(self, request: Request, id: str) -> Response:  # noqa: A002 - the path's own word
        return self._act(request, id, services.restart_instance)

    def _act(self, request: Request, public_id: str, verb: "Verb") -> Response:
        """202: accepted, and under way; the instance as it is now."""
        refuse_body(request)
        found = find_instance(caller_of(request), public_id)
        with translated_errors():
            instance = verb(
                public_id=found.public_id,
                cause=_cause_of(request),
                versions=wanted_versions(request),
            )
        answer = AcceptedVerb.of(instance)
        return Response(answer.as_json(), status=202, headers=_location(instance))


class Verb(Protocol):
    """A service that changes one instance."""

    def __call__(
        self, *, public_id: str, cause: Cause, versions: VersionPrecondition
    ) -> Instance: ...


class InstanceEventsView(GenericAPIView[InstanceEvent]):
    """What happened to one instance, in order."""

    queryset = InstanceEvent.objects.all()
    page = EventList
    page_order = "sequence"
    query_parameters = ("after_sequence", "type")

    @extend_schema(**documentation.EVENTS)
    def get(self, request: Request, id: str) -> Response:  # noqa: A002 - the path's own word
        query = read_query(TimelineQuery, request, others=frozenset({"limit", "cursor"}))
        instance = find_instance(caller_of(request), id)
        events = InstanceEvent.objects.filter(instance=instance)
        if "after_sequence" in query:
            events = events.filter(sequence__gt=query["after_sequence"])
        if "type" in query:
            events = events.filter(type__in=query["type"])
        page = self.paginate_queryset(events)
        return self.get_paginated_response(
            [Event.of(event, instance.public_id) for event in page or []]
        )


def _location(instance: Instance) -> dict[str, str]:
    return {"Location": f"/api/instances/{instance.public_id}"}


def _shown(project: Any) -> InstanceQuerySet:
    return Instance.objects.of(project).with_hourly_price()


def _asked_for(parameters: QueryDict, project: Project) -> Any:
    """The rows of the list. Raises ValidationError."""
    if parameters.keys().isdisjoint(InstanceViewSet.query_parameters):
        return AllOf(_shown, project.pk)
    return asked_for(parameters).apply(project).with_hourly_price()


def find_instance(caller: Caller, public_id: str) -> Instance:
    """The caller's instance of that id; for those of others the answer is the same 404."""
    # Postgres cannot even be asked for NUL.
    found = None
    if "\0" not in public_id:
        found = _INSTANCE.first(public_id=public_id)
    if found is None or found.project_id != caller.project.pk:
        raise NotFound(f"There is no instance {public_id[:60]}.", code="INSTANCE_NOT_FOUND")
    return found


# By its id alone. With the project beside it, a plan made while there are few rows takes any index
# that begins with the project, and as long as it is kept every request reads all of the project's.
_INSTANCE = Prepared(
    lambda public_id: (
        Instance.objects.annotate(read_at=ClockTimestamp()).filter(public_id=public_id).order_by()
    ),
    public_id="the id",
)


@contextmanager
def translated_errors() -> Iterator[None]:
    """The services' errors as this API's."""
    try:
        yield
    except RequestRejected as error:
        raise ValidationError({name: [text] for name, text in error.errors.items()}) from None
    except VersionMismatch as error:
        raise PreconditionFailed(str(error), code=error.code) from None
    except InstanceError as error:
        raise Conflict(str(error), code=error.code) from None


class Conflict(APIException):
    """409: the request is well formed, and the state does not allow it."""

    status_code = 409


class PreconditionFailed(APIException):
    """412: If-Match names what the instance no longer is."""

    status_code = 412


def _cause_of(request: Request) -> Cause:
    return Cause(
        actor=caller_of(request).actor,
        reason="requested over the API",
        request_id=getattr(request, "request_id", ""),
    )
