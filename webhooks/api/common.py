"""What the views of webhooks share: the caller, finding rows, errors."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from django.db.models import Model, QuerySet
from rest_framework import serializers
from rest_framework.exceptions import APIException, NotFound, ValidationError
from rest_framework.request import Request

from accounts.rest.authentication import caller_of
from core.query_parameters import misplaced
from webhooks.errors import EndpointInvalid, SubjectUnknown, WebhookError
from webhooks.models import Delivery, Endpoint, Replay

M = TypeVar("M", bound=Model)


class Conflict(APIException):
    """409: the request is well formed, and the state does not allow it."""

    status_code = 409


@contextmanager
def translated_errors() -> Iterator[None]:
    """The services' errors as this API's."""
    try:
        yield
    except EndpointInvalid as error:
        details = {
            name: [serializers.ErrorDetail(text, code="not_echoed")]
            for name, text in error.errors.items()
        }
        raise ValidationError(details) from None
    except SubjectUnknown as error:
        raise NotFound(str(error), code=error.code) from None
    except WebhookError as error:
        raise Conflict(str(error), code=error.code) from None


def read_query(kind: type[serializers.Serializer[Any]], request: Request) -> Any:
    """The checked query; everything wrong is told at once."""
    query = kind(data=request.query_params.dict())
    errors: dict[str, Any] = misplaced(request.query_params, set(query.fields))
    if not query.is_valid():
        errors = {**query.errors, **errors}
    if errors:
        raise ValidationError(errors)
    return query


def find_endpoint(request: Request, public_id: str) -> Endpoint:
    rows = Endpoint.objects.existing().select_related("project")
    what = f"There is no webhook endpoint {public_id[:60]}."
    return _find(rows, request, public_id, NotFound(what, code="WEBHOOK_NOT_FOUND"))


def find_delivery(request: Request, public_id: str) -> Delivery:
    rows = Delivery.objects.select_related("endpoint__project", "message", "replay", "project")
    what = f"There is no delivery {public_id[:60]}."
    return _find(rows, request, public_id, NotFound(what, code="DELIVERY_NOT_FOUND"))


def find_replay(request: Request, public_id: str) -> Replay:
    rows = Replay.objects.select_related("endpoint", "project")
    what = f"There is no replay {public_id[:60]}."
    return _find(rows, request, public_id, NotFound(what, code="REPLAY_NOT_FOUND"))


def _find(rows: QuerySet[M], request: Request, public_id: str, missing: NotFound) -> M:
    """Of the caller's project; for those of others the answer is the same 404."""
    # Postgres cannot even be asked for NUL.
    found = None
    if "\0" not in public_id:
        found = rows.filter(project=caller_of(request).project, public_id=public_id).first()
    if found is None:
        raise missing
    return found
